"""How a WebSocket ends: the closing handshake of RFC 6455 under uvicorn. It reads and checks no message.

A close must not wait for a client that does not read. A close frame must not be lost: closing a socket with unread
bytes resets it. So after the close frame the writing side is shut down, what still arrives is discarded up to
`LINGER_BYTES`, and a timer aborts.
"""

from asyncio.transports import BaseTransport
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from bridge.budget.budget import Budget
from bridge.sockets.acknowledged import came_by_proxy, is_all_acknowledged
from bridge.sockets.departure import Departure
from bridge.sockets.discarded_input import DiscardedInput
from bridge.sockets.last_words import LastWords
from bridge.sockets.ports import HEARD_OUT, Carried
from bridge.sockets.reader import Reader

FLUSH_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16_777_216
"""Bytes that are discarded of a client that still sends after the end. With more the socket is aborted."""


class WebSocketClosing(WebSocketsSansIOProtocol):
    """One WebSocket: the part that ends it."""

    budget: Budget
    heard_out: LastWords
    """The sockets of this process that were closed politely, and are heard until their clients close."""
    _reader: Reader

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._carried: Carried | None = None
        self._heard_out: Carried | None = None
        self._is_alive = False
        self._departure = Departure()
        self._is_stopped = self._discards_input = False
        self._discarded: DiscardedInput | None = None
        self.close_timeout = FLUSH_SECONDS

    def _refuse(self, code: str) -> None:
        if self._carried is not None:
            self._carried.refuse(code)

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Write `last` and the close frame, after everything written before.

        Aborts if they are not sent and the close not answered in `FLUSH_SECONDS`. After a polite close what still
        arrives until then is handed on: it was sent before the client could know.
        """
        heard_out = self._carried if reason in HEARD_OUT else None
        self._lose()
        if self.close_sent or self.disconnected:
            return
        if self.conn.state is not State.OPEN:
            self.transport.write(last)  # the library has begun a close of its own, which follows
            return
        self._send_close(code, reason, last)
        if heard_out is not None:
            self._heard_out = heard_out
            self.heard_out.add(self)

    def _send_close(self, code: int, reason: str, last: bytes) -> None:
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join((last, *self.conn.data_to_send())))  # one write: a cutover closes many sockets
        self.close_sent = True
        self._abort_after(FLUSH_SECONDS)

    def _hear_no_more(self) -> None:
        self._heard_out = None
        self.heard_out.discard(self)

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def handle_close(self, event: Frame) -> None:
        self._note_what_was_taken()
        self._lose()
        self._hear_no_more()
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
        self._shut_down_writing()

    def _fail(self, code: int, reason: str) -> None:
        if self.conn.state is State.OPEN:
            self.conn.fail(code, reason)
        self._lose()
        self._shut_down_writing()

    def _shut_down_writing(self) -> None:
        """Write what the library still has to send, shut down the writing side, and discard what still arrives."""
        if self._discards_input:
            return
        self._discards_input = self.close_sent = True
        self._hear_no_more()
        self._reader.end()
        self.stop_keepalive()
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.start_reading()
        self._abort_after(LINGER_SECONDS)

    def _throw_away(self, size_bytes: int) -> None:
        if self._discarded is None:
            self._discarded = DiscardedInput(
                self.budget.turns, self._reader.holder, self.stop_reading, self.start_reading
            )
        self._discarded.came(size_bytes)
        if self._discarded.size_bytes > LINGER_BYTES:
            self.transport.abort()

    def stop_reading(self) -> None:
        if not self._is_stopped and not self.transport.is_closing():
            self._is_stopped = True
            self.transport.pause_reading()

    def start_reading(self) -> None:
        if self._is_stopped and not self.transport.is_closing():
            self._is_stopped = False
            self.transport.resume_reading()

    def send_keepalive_ping(self) -> None:
        self._is_alive = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """No pong has come in time. Any other frame since the ping is as good: who speaks is alive."""
        self.pong_timer = None
        if self._is_alive:
            if self._carried is not None:
                self._carried.alive()
            self.send_keepalive_ping()
            return
        self._lose()
        if not self.transport.is_closing() and self.conn.state is State.OPEN:
            self.conn.fail(1011, "keepalive ping timeout")
        self._shut_down_writing()

    def eof_received(self) -> None:
        if (self._carried or self._heard_out) is not None and not came_by_proxy(self.scope["headers"]):
            self._note_what_was_taken()
        self._lose()
        self._hear_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()
        self._discards_input = True
        self._hear_no_more()
        self._reader.end()
        super().connection_lost(exc)
        self._departure.gone()
        if self._discarded is not None:
            self._discarded.end()
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Break reference cycles, so that no garbage collection is needed to free this object."""
        self.conn.parser.close()
        self.scope = None  # type: ignore[assignment]  # it refers to this object; the application still has its own

    def _note_what_was_taken(self) -> None:
        """The client ends the connection, or answers our close. One that does so with something unread resets it."""
        carried = self._carried or self._heard_out
        if carried is not None and is_all_acknowledged(self.transport):
            carried.taken_all()

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
        """Called by uvicorn when the server shuts down. By then the bridge has closed its connections itself."""
        self._lose()
        super().shutdown()
        self._abort_after(LINGER_SECONDS)
