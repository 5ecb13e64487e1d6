"""`/socket.io/`: the HTTP side of the Socket.IO door, as one ASGI application. It knows no language and no message.

What is asked for in the wrong way is answered before the library sees it: foreign origins and overload as at any
handshake, a wrong protocol or session with 400, a body over the limit with 413 at once.
"""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from bridge.handshake.preflight import Denied, Preflight, answer_in_http
from bridge.socketio.engine import Engine
from bridge.socketio.packets import MOST_PACKETS
from bridge.socketio.session import Session
from bridge.sockets.ports import pay, vouch
from bridge.sockets.request_body import TooLong, read_body

METHODS: Final = "GET, POST, OPTIONS"
MAX_QUERY_FIELDS: Final = 64
Query = Mapping[str, list[str]]

_WRONG: Final[Mapping[str, tuple[int, str]]] = {
    "transport": (0, "Use the transport `polling` or `websocket`."),
    "session": (1, "There is no such session here: connect again."),
    "handshake": (3, "Send this session's packets in the way of its transport."),
    "protocol": (5, "Speak Engine.IO 4: connect with a Socket.IO client of version 3 or later."),
}
"""As Socket.IO's own servers number them."""


class EngineDoor:
    """The application that is mounted at `/socket.io`."""

    def __init__(self, engine: Engine, preflight: Preflight) -> None:
        self._engine = engine
        self._preflight = preflight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            response = await self._http(Request(scope, receive))
            await response(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket, query = WebSocket(scope, receive, send), _query(scope)
        refusal = self._refusal(websocket.headers, query) or self._problem(query, "websocket")
        if refusal is not None:
            await answer_in_http(websocket, Denied(refusal))
            return
        await self._engine.handle_request(scope, receive, send)

    async def _http(self, request: Request) -> Response:
        query = _query(request.scope)
        refusal = self._refusal(request.headers, query)
        response = refusal or await self._answer(request, query)
        if refusal is None or refusal.status_code != 403:
            response.headers.update(_cors(request.headers))
        return response

    async def _answer(self, request: Request, query: Query) -> Response:
        answers = {"GET": self._get, "POST": self._post}
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method not in answers:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": METHODS})
        return self._problem(query, "polling") or await answers[request.method](request, query)

    def _refusal(self, headers: Headers, query: Query) -> Response | None:
        """Everyone must come from where they may; only who is new can be turned away for want of room."""
        refusal = self._preflight.refusal(headers)
        is_for_all = refusal is not None and refusal.status_code == 403
        return refusal if is_for_all or "sid" not in query else None

    def _problem(self, query: Query, transport: str) -> Response | None:
        if query.get("transport") != [transport]:
            return _bad_request("transport")
        if query.get("EIO") != ["4"] or "j" in query:
            return _bad_request("protocol")
        if "sid" in query and self._session(query) is None:
            return _bad_request("session")
        return None

    def _session(self, query: Query) -> Session | None:
        sids = query.get("sid", ())
        return self._engine.sessions.get(sids[0]) if len(sids) == 1 else None

    async def _post(self, request: Request, query: Query) -> Response:
        session = self._session(query)
        if session is None or session.is_upgraded:
            return _bad_request("session" if session is None else "handshake")
        if session.is_posting:
            session.end_as_broken()  # two posts at once: nobody could say which of them came first
            return _bad_request("handshake")
        session.is_posting = True
        _vouch_for(session, request)
        try:
            return await self._take(request, session, query["sid"][0])
        finally:
            session.is_posting = False

    async def _take(self, request: Request, session: Session, sid: str) -> Response:
        body = await _body(request, self._engine.most_bytes)
        if body is None:
            return TooLarge()
        try:
            packets = body.decode().split("\x1e")
        except UnicodeDecodeError:
            packets = []
        if not packets or len(packets) > MOST_PACKETS:
            session.end_as_broken()
            return _bad_request("handshake")
        is_taken = await self._engine.receive_all(sid, packets)
        return PlainTextResponse("ok") if is_taken else _bad_request("handshake")

    async def _get(self, request: Request, query: Query) -> Response:
        session = self._session(query)
        if session is None:
            return PlainTextResponse(await self._engine.begin(request.scope))
        if session.is_upgraded or session.is_polling:
            if session.is_polling:
                session.end_as_broken()  # two polls at once: nobody could say which of them hears what
            return _bad_request("handshake")
        session.is_polling = True
        _vouch_for(session, request)
        watch = asyncio.create_task(_end_with(request, session))
        try:
            return PlainTextResponse(await self._engine.poll(query["sid"][0]))
        finally:
            session.is_polling = False
            watch.cancel()


def _vouch_for(session: Session, request: Request) -> None:
    if session.holder is not None:
        vouch(request.scope)
        pay(request.scope, session.holder)


class TooLarge(PlainTextResponse):
    """Said at once; what its sender goes on sending is thrown away, so that the answer is not lost to a reset."""

    def __init__(self) -> None:
        super().__init__("Payload Too Large", 413, {"Connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.body", "body": b""})


async def _end_with(request: Request, session: Session) -> None:
    """A poll whose client has gone away takes its session along."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    session.end(1001, "the client went away")


def _query(scope: Scope) -> Query:
    """Each field, as often as it was sent; nothing where there are too many."""
    try:
        query = scope["query_string"].decode("latin-1")
        return parse_qs(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return {}


def _cors(headers: Headers) -> dict[str, str]:
    """A page whose origin may connect may also read what it is answered."""
    origin = headers.get("origin")
    if origin is None:
        return {"Cache-Control": "no-store"}
    return {
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "content-type"),
        "Vary": "Origin",
    }


def _bad_request(problem: str) -> JSONResponse:
    number, sentence = _WRONG[problem]
    return JSONResponse({"code": number, "message": sentence}, 400)


async def _body(request: Request, most_bytes: int) -> bytes | None:
    """The body; `None` as soon as it is too long."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most_bytes:
        return None
    try:
        return await read_body(request, most_bytes)
    except TooLong:
        return None
    except ClientDisconnect:
        return b""
