"""`/socket.io/`: the HTTP side of the Socket.IO door, as one ASGI application. It knows no language and no message.

What is asked for in the wrong way is answered before the library sees it: foreign origins and overload as at any
handshake, a wrong protocol or session with 400, a body over the limit with 413 at once.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from bridge.reception import Reception, Turned, deny
from bridge.sockets.engine import Engine
from bridge.sockets.packets import MOST_PACKETS

TRANSPORTS: Final = ("polling", "websocket")
METHODS: Final = "GET, POST, OPTIONS"

_WRONG: Final[Mapping[str, tuple[int, str]]] = {
    "transport": (0, "Use the transport `polling` or `websocket`."),
    "session": (1, "There is no such session here: connect again."),
    "handshake": (3, "Send this session's packets in the way of its transport."),
    "protocol": (5, "Speak Engine.IO 4: connect with a Socket.IO client of version 3 or later."),
}
"""As Socket.IO's own servers number them."""


class EngineDoor:
    """The application that is mounted at `/socket.io`."""

    def __init__(self, engine: Engine, reception: Reception) -> None:
        self._engine = engine
        self._reception = reception

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            request = Request(scope, receive)
            response = await self._http(request, send)
            if response is not None:
                response.headers.update(_cors(request.headers))
                await response(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        query = _query(scope)
        try:
            await self._check_origin(websocket, is_new="sid" not in query)
            problem = self._problem(query)
            if query.get("transport") != "websocket":
                problem = problem or "transport"
            if problem is not None:
                await deny(websocket, _bad_request(problem))
        except Turned:
            return
        await self._engine.handle_request(scope, receive, send)

    async def _check_origin(self, websocket: WebSocket, *, is_new: bool) -> None:
        refusal = self._refusal(websocket.headers, is_new=is_new)
        if refusal is not None:
            await deny(websocket, refusal)

    async def _http(self, request: Request, send: Send) -> Response | None:
        """The answer, or `None` where the library has given it."""
        query = _query(request.scope)
        refusal = self._refusal(request.headers, is_new="sid" not in query)
        if refusal is not None:
            return refusal
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method not in ("GET", "POST"):
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": METHODS})
        problem = self._problem(query)
        if problem is not None or query.get("transport") != "polling":
            return _bad_request(problem or "transport")
        return await (self._post(request, query) if request.method == "POST" else self._poll(request, query, send))

    def _refusal(self, headers: Headers, *, is_new: bool) -> Response | None:
        """Everyone must come from where they may; only who is new can be turned away for want of room."""
        refusal = self._reception.refusal(headers)
        return refusal if refusal is not None and (is_new or refusal.status_code == 403) else None

    def _problem(self, query: Mapping[str, str]) -> str | None:
        if query.get("transport") not in TRANSPORTS:
            return "transport"
        if query.get("EIO") != "4" or "j" in query:
            return "protocol"
        if "sid" in query and query["sid"] not in self._engine.sessions:
            return "session"
        return None

    async def _post(self, request: Request, query: Mapping[str, str]) -> Response:
        body = await _body(request, self._engine.most_bytes)
        if body is None:
            return PlainTextResponse("Payload Too Large", 413, {"Connection": "close"})
        session = self._engine.sessions.get(query.get("sid", ""))
        if session is None or session.is_upgraded:
            return _bad_request("session" if session is None else "handshake")
        try:
            packets = body.decode().split("\x1e")
        except UnicodeDecodeError:
            packets = []
        if not packets or len(packets) > MOST_PACKETS:
            session.end_as_broken()
            return _bad_request("handshake")
        is_taken = await self._engine.receive_all(query["sid"], packets)
        return PlainTextResponse("ok") if is_taken else _bad_request("handshake")

    async def _poll(self, request: Request, query: Mapping[str, str], send: Send) -> Response | None:
        session = self._engine.sessions.get(query.get("sid", ""))
        if session is not None:
            if session.is_upgraded:
                return _bad_request("handshake")
            if session.is_polling:
                session.end_as_broken()  # two polls at once: nobody could say which of them hears what
                return _bad_request("handshake")
            session.is_polling = True
        headers = _cors(request.headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in headers.items()]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        try:
            await self._engine.handle_request(request.scope, request.receive, send_with_headers)
        finally:
            if session is not None:
                session.is_polling = False
        return None


def _query(scope: Scope) -> dict[str, str]:
    """Each field, as it was sent last."""
    try:
        fields = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


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
    if not length.isdigit() or int(length) > most_bytes:
        return None
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most_bytes:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)
