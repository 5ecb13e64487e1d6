"""The WebSocket protocol class of the server: `WebSocketProtocol`, counted in `Strangers`, with a handshake deadline.

It has no other rules.
"""

from asyncio.transports import BaseTransport
from typing import Any, Final

from bridge.sockets.head import refusal
from bridge.sockets.ports import VOUCH, Carried, offer
from bridge.sockets.service_unavailable import retry_after_seconds
from bridge.sockets.strangers import Strangers
from bridge.sockets.websocket_closing import FLUSH_SECONDS
from bridge.sockets.websocket_protocol import WebSocketProtocol

HANDSHAKE_SECONDS: Final = 10.0


class CountedWebSocket(WebSocketProtocol):
    """One socket. It is unauthenticated until a connection is attached to it or its request is marked as authenticated.

    A handshake that takes longer than `HANDSHAKE_SECONDS` is refused with 503 and counted as `late`, unless the socket
    is authenticated by then: the process has more to do than it can, and the client shall come back later.
    """

    strangers: Strangers

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._handshake_timer = self.loop.call_later(HANDSHAKE_SECONDS, self._end_handshake)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        self.strangers.asked(self.transport)
        if getattr(self, "scope", None) is not None:
            offer(self.scope, {VOUCH: self._vouch})

    def attach(self, carried: Carried) -> None:
        self._vouch()
        super().attach(carried)

    def connection_lost(self, exc: Exception | None) -> None:
        self._handshake_timer.cancel()
        self.strangers.gone(self.transport)
        super().connection_lost(exc)

    def _vouch(self) -> None:
        self._handshake_timer.cancel()
        self.strangers.vouch(self.transport)

    def _end_handshake(self) -> None:
        if self.handshake_complete and not self.close_sent:
            return
        self.strangers.ended["late"] += 1
        if self.handshake_complete:
            self.abort()
            return
        self.transport.write(refusal(503, b"retry-after: %d\r\n" % retry_after_seconds()))
        self.transport.close()
        self._abort_after(FLUSH_SECONDS)
