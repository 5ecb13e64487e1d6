"""The opening handshake of one WebSocket: it runs the ASGI application, which answers, and hands the socket over.

From the answer on everything is done by `websocket_protocol.py`, and nothing of the handshake is kept. What arrives
before waits unread. It decides nothing: the application does. A handshake that takes longer than `HANDSHAKE_SECONDS` is
refused with 503 and counted as `late`, unless the socket is authenticated by then: the process has more to do than it
can, and the client shall come back later.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope
from starlette.websockets import WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from bridge.budget.budget import Budget
from bridge.sockets.acknowledged import came_by_proxy
from bridge.sockets.departure import Departure
from bridge.sockets.framing import text_frame
from bridge.sockets.head import SUBPROTOCOLS, refusal
from bridge.sockets.opening_answer import Header, accepting, refusing
from bridge.sockets.ports import ASGI_EXTENSION, VOUCH, WHEN_GONE, offer
from bridge.sockets.service_unavailable import retry_after_seconds
from bridge.sockets.strangers import Strangers
from bridge.sockets.websocket_closing import FLUSH_SECONDS
from bridge.sockets.websocket_messages import Messages
from bridge.sockets.websocket_protocol import WebSocketProtocol

HANDSHAKE_SECONDS: Final = 10.0

log = logging.getLogger("uvicorn.error")


class WebSocketOpening(asyncio.Protocol):
    """One handshake. Its socket is unauthenticated until a connection is attached, or its request is vouched for."""

    strangers: Strangers
    budget: Budget
    socket_class: type[WebSocketProtocol]
    """That of the socket once it is open."""

    def __init__(self, transport: asyncio.Transport, server_state: ServerState, key: bytes) -> None:
        """`key`: the `Sec-WebSocket-Key` of the handshake, which is valid."""
        self.transport: Final = transport
        self._state = server_state
        self._key = key
        self._departure = Departure()
        self._early = b""
        self._is_asked = self._is_accepted = False
        self._is_answered = False
        """Whether there is nothing to be answered any more. So it is when the client is gone."""
        self._response: tuple[int, list[Header], bytes] | None = None
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._end_late)

    def begin(self, application: ASGIApp, scope: Scope, early: bytes) -> None:
        """Have the application answer. `early` is what the client has sent already after its request."""
        holder = self.budget.stranger(scope["client"][0])
        is_forwarded = came_by_proxy(scope["headers"])
        self._socket = self.socket_class(self.transport, self._state.connections, holder, is_forwarded=is_forwarded)
        self._messages = Messages(self._socket, holder, self._departure)
        self._state.connections.add(self)  # type: ignore[arg-type]
        self.strangers.asked(self.transport)
        offer(scope, {ASGI_EXTENSION: self._socket, WHEN_GONE: self._departure.when_gone, VOUCH: self._vouch})
        self.transport.set_protocol(self)
        if early:
            self.data_received(early)
        task = asyncio.get_running_loop().create_task(self._run(application, scope))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    async def _run(self, application: ASGIApp, scope: Scope) -> None:
        try:
            await application(scope, self._receive_first, self._send)
        except (ClientDisconnected, WebSocketDisconnect, asyncio.CancelledError):
            pass
        except BaseException:
            log.exception("Exception in ASGI application\n")
        else:
            if not self._is_answered:
                log.error("ASGI callable returned without completing handshake.")
        self._answer(500, [], b"Internal Server Error")
        self._socket.end_unless_attached(self._messages)

    async def _receive_first(self) -> Message:
        """The ASGI `receive` of the application."""
        if not self._is_asked:
            self._is_asked = True
            return {"type": "websocket.connect"}
        return await self._messages.next()

    async def _send(self, message: Message) -> None:
        """The ASGI `send` of the application."""
        kind = message["type"]
        if self._messages.is_over or self.transport.is_closing():
            self._is_answered = True  # the client is gone, or it was answered: this is no error to be logged
            raise ClientDisconnected
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.send":
            self._socket.write(text_frame(message["text"].encode()))
        elif kind == "websocket.close" and self._is_accepted:
            self._socket.fail(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.close":
            self._answer(403, [], b"")
        elif kind == "websocket.http.response.start":
            self._response = message["status"], list(message.get("headers", ())), b""
        else:
            self._add_body(message)

    def _add_body(self, message: Message) -> None:
        if self._response is None:
            raise RuntimeError(f"Unexpected ASGI message '{message['type']}'.")
        status, headers, body = self._response
        self._response = status, headers, body + message.get("body", b"")
        if not message.get("more_body", False):
            self._answer(*self._response)

    def _accept(self, message: Message) -> None:
        self._is_accepted = self._is_answered = True
        self._timer.cancel()
        headers = (*self._state.default_headers, *message.get("headers", ()))
        self.transport.write(accepting(self._key, headers, message.get("subprotocol")))
        self._state.connections.discard(self)
        self._socket.begin(self._messages, self._early)
        self._early = b""

    def _answer(self, status: int, headers: list[Header], body: bytes) -> None:
        """Answer in HTTP, unless it is answered already."""
        if not self._is_answered:
            self._is_answered = True
            self.transport.write(refusing(status, headers, body))
            self.transport.close()
            self._messages.lost()

    def data_received(self, data: bytes) -> None:
        """What comes before the answer waits; more is not read until then."""
        self._early += data
        self.transport.pause_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_answered = True
        self._timer.cancel()
        self._state.connections.discard(self)
        self.strangers.gone(self.transport)
        self._messages.lost()

    def _vouch(self) -> None:
        self._timer.cancel()
        self.strangers.vouch(self.transport)

    def _end_late(self) -> None:
        self.strangers.ended["late"] += 1
        if self._is_answered:
            return self.abort()
        self._is_answered = True
        self.transport.write(refusal(503, b"retry-after: %d\r\n" % retry_after_seconds()))
        self.transport.close()
        self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.abort)
        return None

    def abort(self) -> None:
        """End the socket at once."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Called by uvicorn when the server shuts down."""
        self._answer(500, [], b"Internal Server Error")


def handshake_scope(request: Mapping[str, Any], url: bytes) -> Scope:
    """The ASGI scope of a WebSocket handshake, made of that of its HTTP request. `url` is in origin form."""
    raw_path, _, query = url.partition(b"?")
    offered = [value.decode("latin-1") for name, value in request["headers"] if name == SUBPROTOCOLS]
    return {
        **request,
        "type": "websocket",
        "scheme": "wss" if request["scheme"] == "https" else "ws",
        "path": request["root_path"] + unquote(raw_path.decode("ascii")),
        "raw_path": request["root_path"].encode("ascii") + raw_path,
        "query_string": query,
        "subprotocols": [token.strip() for value in offered for token in value.split(",")],
        "extensions": {"websocket.http.response": {}},
    }
