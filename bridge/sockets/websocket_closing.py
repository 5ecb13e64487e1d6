"""How a WebSocket ends: the closing handshake of RFC 6455 under uvicorn. It reads and judges no message.

No close may wait for a client that does not read, and none may be lost by closing over unread bytes: after the close
frame the writing side is shut, what still arrives is thrown away up to a bound, and a timer aborts.
"""

from asyncio.transports import BaseTransport
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from bridge.budget.budget import Budget
from bridge.sockets.departure import Departure
from bridge.sockets.ports import Carried
from bridge.sockets.reader import Reader
from bridge.sockets.waste import Waste

FLUSH_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16_777_216
"""So much is thrown away of who sends on after its end; then it is cut off."""


class WebSocketClosing(WebSocketsSansIOProtocol):
    """One socket, and whatever ends it."""

    budget: Budget
    _reader: Reader

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._carried: Carried | None = None
        self._departure = Departure()
        self._is_stopped = self._is_deaf = False
        self._waste: Waste | None = None
        self.close_timeout = FLUSH_SECONDS

    def _refuse(self, code: str) -> None:
        if self._carried is not None:
            self._carried.refuse(code)

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """The close frame after everything written and `last`; aborted if it is not flushed and answered in time."""
        self._lose()
        if self.close_sent or self.disconnected:
            return
        if self.conn.state is not State.OPEN:
            self.transport.write(last)  # the library's own close follows
            return
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join((last, *self.conn.data_to_send())))  # one write: a tenant's move is many of these
        self.close_sent = True
        self._abort_after(FLUSH_SECONDS)

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def handle_close(self, event: Frame) -> None:
        self._lose()
        if self.close_sent:
            self.transport.close()
        else:
            super().handle_close(event)
            self.close_sent = True
        self._abort_after(FLUSH_SECONDS)

    def handle_parser_exception(self) -> None:
        closing = self.conn.close_sent
        if closing is not None and closing.code == 1009:
            self._refuse("message_too_big")
        self._lose()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006 if closing is None else closing.code})
        self._last_words()

    def _fail(self, code: int, reason: str) -> None:
        if self.conn.state is State.OPEN:
            self.conn.fail(code, reason)
        self._lose()
        self._last_words()

    def _last_words(self) -> None:
        """Write what the library left to say, shut the writing side, and throw away what still arrives."""
        if self._is_deaf:
            return
        self._is_deaf = self.close_sent = True
        self._reader.end()
        self.stop_keepalive()
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.start_reading()
        self._abort_after(LINGER_SECONDS)

    def _throw_away(self, size_bytes: int) -> None:
        if self._waste is None:
            self._waste = Waste(self.budget.turns, self._reader.holder, self.stop_reading, self.start_reading)
        self._waste.came(size_bytes)
        if self._waste.size_bytes > LINGER_BYTES:
            self.transport.abort()

    def stop_reading(self) -> None:
        if not self._is_stopped and not self.transport.is_closing():
            self._is_stopped = True
            self.transport.pause_reading()

    def start_reading(self) -> None:
        if self._is_stopped and not self.transport.is_closing():
            self._is_stopped = False
            self.transport.resume_reading()

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self._lose()
        if not self.transport.is_closing() and self.conn.state is State.OPEN:
            self.conn.fail(1011, "keepalive ping timeout")
        self._last_words()

    def eof_received(self) -> None:
        self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()
        self._is_deaf = True
        self._reader.end()
        super().connection_lost(exc)
        self._departure.gone()
        if self._waste is not None:
            self._waste.end()
        self._let_go()

    def _let_go(self) -> None:
        """Of whatever holds this object in turn: what is over is freed at once, and waits for no garbage collector."""
        self.conn.parser.close()
        self.scope = None  # type: ignore[assignment]  # which holds this object; the application has it still

    def _lose(self) -> None:
        carried, self._carried = self._carried, None
        if carried is not None:
            carried.lost()

    def _abort_after(self, seconds: float) -> None:
        if self.disconnected:
            return
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)

    def shutdown(self) -> None:
        """uvicorn's own end of the world; ours has closed everything politely before."""
        self._lose()
        super().shutdown()
        self._abort_after(LINGER_SECONDS)
