"""The ASGI application at `/socket.io/`: checks each request, and passes it to its session or begins one.

Requests that fail a check are answered here: foreign origins and overload as at any handshake; a wrong protocol
version, transport or session id with 400. It must never read a packet.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from bridge.handshake.preflight import Preflight, foreign_origin
from bridge.handshake.request import MAX_QUERY_FIELDS
from bridge.socketio import polling, websocket
from bridge.socketio.session import Session
from bridge.socketio.sessions import Sessions
from bridge.sockets.ports import wire_of

METHODS: Final = "GET, POST, OPTIONS"
Query = Mapping[str, list[str]]

_WRONG: Final[Mapping[str, tuple[int, str]]] = {
    "transport": (0, "Use the transport `polling` or `websocket`."),
    "session": (1, "There is no such session here: connect again."),
    "protocol": (5, "Speak Engine.IO 4: connect with a Socket.IO client of version 3 or later."),
}
"""Problem -> (code, sentence). The codes are those of Socket.IO's own servers."""


class Endpoint:
    """The application that is mounted at `/socket.io`."""

    def __init__(self, sessions: Sessions, preflight: Preflight) -> None:
        self._sessions = sessions
        self._preflight = preflight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
        else:
            response = await self._http(Request(scope, receive))
            await response(scope, receive, send)

    async def _websocket(self, handshake: WebSocket) -> None:
        query = _query(handshake.scope)
        session, wire = self._session(query), wire_of(handshake.scope)
        refusal = self._refusal(handshake.headers, query) or self._problem(query, "websocket")
        if refusal is None and session is not None and _has_websocket(session):
            refusal = polling.WrongWay()
        if wire is None or refusal is not None:  # only another server than ours offers no wire
            await handshake.send_denial_response(refusal or _bad_request("transport"))
        elif session is None:
            await websocket.begin(handshake, self._sessions, wire)
        else:
            await websocket.upgrade(handshake, self._sessions, session, wire)

    async def _http(self, request: Request) -> Response:
        query = _query(request.scope)
        refusal = self._refusal(request.headers, query)
        response = refusal or await self._answer(request, query)
        if refusal is None or refusal.status_code != 403:
            response.headers.update(_cors(request.headers))
        return response

    async def _answer(self, request: Request, query: Query) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method not in ("GET", "POST"):
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": METHODS})
        problem, session = self._problem(query, "polling"), self._session(query)
        if problem is not None:
            return problem
        if request.method == "POST":
            most_bytes = self._sessions.most_bytes
            return _bad_request("session") if session is None else await polling.post(request, session, most_bytes)
        if session is None:
            return PlainTextResponse(await self._sessions.begin(request.scope).answer())
        return await polling.poll(request, session) or _bad_request("session")

    def _refusal(self, headers: Headers, query: Query) -> Response | None:
        """The preflight's refusal of this request. The origin is checked for all, overload only for new sessions."""
        if "sid" not in query:
            return self._preflight.refusal(headers)
        return None if self._preflight.origins.passes(headers) else foreign_origin()

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
        return self._sessions.get(sids[0]) if len(sids) == 1 else None


def _has_websocket(session: Session) -> bool:
    """Whether the session is over or has a WebSocket. A second one is refused: it would be unclear which gets what."""
    return session.is_over or session.transport.candidate is not None or session.engine.transport == "websocket"


def _query(scope: Scope) -> Query:
    """The fields of the query, with all values of each; empty if there are more than `MAX_QUERY_FIELDS`."""
    try:
        query = scope["query_string"].decode("latin-1")
        return parse_qs(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return {}


def _cors(headers: Headers) -> dict[str, str]:
    """CORS headers: a page whose origin may connect may also read the response."""
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
