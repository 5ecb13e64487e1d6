"""Errors of HTTP requests and their handlers: each is answered with a code for programs and a sentence. No routes.

An answer never repeats what the client sent: that may be anything, even something that JSON cannot express.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from redis.exceptions import RedisError, ResponseError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse

LONGEST_REASON: Final = 160
"""Characters of an error message of Redis that are put into an answer."""
_LATER: Final = {"Retry-After": "1"}


class RefusedRequest(Exception):
    """Raised to answer a request with this status and body. Each part of the HTTP API has a subclass of its own."""

    headers: ClassVar[Mapping[int, Mapping[str, str]]] = {429: _LATER, 503: _LATER}
    """Further headers of the answer, by status."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(body["msg"])
        self.status: Final = status
        self.body: Final = body

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.body, self.status, self.headers.get(self.status, {}))


class AdminRefusal(RefusedRequest):
    """A refusal for operators: `{"code", "msg", **more}`, where `msg` is a sentence that says what to do."""

    headers: ClassVar[Mapping[int, Mapping[str, str]]] = {
        **RefusedRequest.headers,
        401: {"WWW-Authenticate": "Bearer"},
    }

    def __init__(self, status: int, code: str, sentence: str, **more: Any) -> None:
        super().__init__(status, {"code": code, "msg": sentence, **more})


class RefusedField(BaseModel):
    """One field of a request, and what is wrong with it."""

    field: str
    problem: str


class ErrorBody(BaseModel):
    """What is answered in place of what was asked for: a code for programs, and a sentence for people."""

    code: str
    msg: str
    detail: list[RefusedField] | None = None


def redis_away() -> AdminRefusal:
    """The answer of every route while Redis cannot be reached: 503, `bus_down`."""
    return AdminRefusal(503, "bus_down", "Redis cannot be reached; try again.")


def redis_refuses(error: Exception) -> AdminRefusal:
    """The answer if Redis rejects a command (it is full, read-only, or denies permission): 503, `bus_down`."""
    return AdminRefusal(503, "bus_down", f"Redis refuses: {str(error)[:LONGEST_REASON]}")


def unreadable(code: str, problems: Iterable[Mapping[str, Any]]) -> AdminRefusal:
    """The answer to a request that pydantic could not validate: 422, with each field and what is wrong with it."""
    detail = [{"field": _field(problem["loc"]), "problem": _said(problem["msg"])} for problem in problems]
    sentences = (f"{one['field']}: {one['problem']}." if one["field"] else f"{one['problem']}." for one in detail)
    return AdminRefusal(422, code, " ".join(sentences), detail=detail)


def _field(place: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in place if part not in ("body", "query", "path"))


def _said(sentence: str) -> str:
    return sentence.removeprefix("Value error, ").rstrip(".")


def require_upgrade(app: FastAPI, *paths: str) -> None:
    """Have a plain GET on these paths of WebSockets answered with 426."""

    async def upgrade_required() -> PlainTextResponse:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        return PlainTextResponse("Connect with a WebSocket client.", 426, headers)

    for path in paths:
        app.add_api_route(path, upgrade_required, methods=["GET"], include_in_schema=False)


def handle_errors(app: FastAPI) -> None:
    """Register the handlers of these errors, and of the framework's own errors, in the application."""
    app.add_exception_handler(RefusedRequest, _refused)
    app.add_exception_handler(RedisError, _redis_failed)
    app.add_exception_handler(RequestValidationError, _unreadable_request)
    app.add_exception_handler(HTTPException, _refused_by_framework)


async def _refused(_request: Request, refusal: Exception) -> Response:
    return cast(RefusedRequest, refusal).response()


async def _redis_failed(_request: Request, error: Exception) -> Response:
    refusal = redis_refuses(error) if isinstance(error, ResponseError) else redis_away()
    return refusal.response()


async def _unreadable_request(_request: Request, error: Exception) -> Response:
    """A parameter in the path or the query is not valid."""
    return unreadable("invalid_request", cast(RequestValidationError, error).errors()).response()


async def _refused_by_framework(request: Request, error: Exception) -> Response:
    """An unknown path, a method that the path does not serve, or a body that cannot be read."""
    refused = cast(HTTPException, error)
    phrase = HTTPStatus(refused.status_code).phrase
    body = {"code": phrase.lower().replace(" ", "_"), "msg": f"{phrase}. What is served is described at /docs."}
    headers = refused.headers if refused.status_code != HTTPStatus.METHOD_NOT_ALLOWED else _allowed(request)
    return JSONResponse(body, refused.status_code, headers)


def _allowed(request: Request) -> Mapping[str, str]:
    """The header with every method of the path, of all its routes: the framework names those of the first alone."""
    routes, path = iter_route_contexts(request.app.routes), request.scope["path"]
    methods = {name for one in routes if one.methods and one.path_regex.match(path) for name in one.methods}
    return {"Allow": ", ".join(sorted(methods))}
