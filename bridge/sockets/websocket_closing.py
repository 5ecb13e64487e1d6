"""How an open WebSocket ends: the closing handshake of RFC 6455. It reads and checks no message.

A close must not wait for a client that does not read. A close frame must not be lost: closing a socket with unread
bytes resets it. So after the close frame the writing side is shut down, what still arrives is discarded up to
`LINGER_BYTES`, and a timer aborts.

Decided here: a signal of the server's end finds every connection closed by the bridge itself. What is left is closed
with 1012.
"""

import asyncio
from collections.abc import Hashable
from enum import IntEnum
from typing import Any, Final, cast

from bridge.budget.budget import Budget
from bridge.sockets.acknowledged import is_all_acknowledged
from bridge.sockets.discarded_input import DiscardedInput
from bridge.sockets.framing import close_frame
from bridge.sockets.last_words import LastWords
from bridge.sockets.ports import HEARD_OUT, Carried
from bridge.sockets.reader import Reader
from bridge.sockets.strangers import Strangers
from bridge.sockets.websocket_pings import WebSocketPings

FLUSH_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16_777_216
"""Bytes that are discarded of a client that still sends after the end. With more the socket is aborted."""


class Phase(IntEnum):
    """How far a WebSocket has come. It never goes back."""

    OPEN = 0
    FAILING = 1
    """It is about to send a close frame of its own: who closes it meanwhile may only say a last word before that."""
    CLOSING = 2
    """Its close frame is sent. The client is still heard, if it was closed politely."""
    DISCARDING = 3
    """Nothing is sent or read any more: what still arrives is discarded."""
    GONE = 4


class WebSocketClosing(WebSocketPings):
    """One WebSocket: the part that ends it."""

    __slots__ = (
        "_discarded",
        "_heard_out",
        "_is_forwarded",
        "_is_stopped",
        "_open",
        "_reader",
        "_timer",
        "phase",
    )

    budget: Budget
    strangers: Strangers
    heard_out: LastWords
    """The sockets of this process that were closed politely, and are heard until their clients close."""
    _reader: Reader

    def __init__(self, transport: asyncio.Transport, open_sockets: set[Any], *, is_forwarded: bool) -> None:
        """`open_sockets`: those of the server, to which it belongs. `is_forwarded`: the other side is a proxy."""
        super().__init__(transport)
        self.phase = Phase.OPEN
        self._open = open_sockets
        self._heard_out: Carried | None = None
        self._is_forwarded = is_forwarded
        self._is_stopped = False
        self._discarded: DiscardedInput | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Write `last` and the close frame, after everything written before.

        Aborts if they are not sent and the close not answered in `FLUSH_SECONDS`. After a polite close what still
        arrives until then is handed on: it was sent before the client could know.
        """
        heard_out = self._carried if reason in HEARD_OUT else None
        self._lose()
        if self.phase is Phase.FAILING:
            self.transport.write(last)
        if self.phase is not Phase.OPEN:
            return
        self._send_close(code, reason, last)
        if heard_out is not None:
            self._heard_out = heard_out
            self.heard_out.add(cast(Hashable, self))

    def _send_close(self, code: int, reason: str, last: bytes = b"") -> None:
        self._stop_keepalive()
        self.phase = Phase.CLOSING
        self.transport.write(last + close_frame(code, reason))  # one write: a cutover closes many sockets
        self._abort_unless_flushed()

    def _hear_no_more(self) -> None:
        self._heard_out = None
        self.heard_out.discard(cast(Hashable, self))

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def _answer_close(self, answer: bytes) -> None:
        """The client has closed, or has answered our close."""
        self._note_what_was_taken()
        self._lose()
        self._hear_no_more()
        if self.phase < Phase.CLOSING:
            self._stop_keepalive()
            self.phase = Phase.CLOSING
            self.transport.write(answer)
        self.transport.close()
        self._abort_unless_flushed()

    def fail(self, code: int, reason: str, refusal: str = "") -> None:
        """Refuse with this code of the closed list, if any, send the close frame, and read nothing more."""
        if self.phase is Phase.OPEN:
            self.phase = Phase.FAILING
            if refusal and self._carried is not None:
                self._carried.refuse(refusal)
            self._send_close(code, reason)
        self._lose()
        self._shut_down_writing()

    def _shut_down_writing(self) -> None:
        """Shut down the writing side, and discard what still arrives."""
        if self.phase >= Phase.DISCARDING:
            return
        self.phase = Phase.DISCARDING
        self._hear_no_more()
        self._end_reading()
        self._stop_keepalive()
        if not self.transport.is_closing():
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.start_reading()
        self._abort_after(LINGER_SECONDS)

    def _end_reading(self) -> None:
        self._reader.end()

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

    def _end_silent(self) -> None:
        self._lose()
        self.fail(1011, "keepalive ping timeout")

    def eof_received(self) -> None:
        if not self._is_forwarded:
            self._note_what_was_taken()
        self._lose()
        self._hear_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()
        self.phase = Phase.GONE
        self._hear_no_more()
        self._stop_keepalive()
        self._end_reading()
        self._open.discard(self)
        self.strangers.gone(self.transport)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._discarded is not None:
            self._discarded.end()
            self._discarded = None

    def _note_what_was_taken(self) -> None:
        """The client ends the connection, or answers our close. One that does so with something unread resets it."""
        carried = self._carried or self._heard_out
        if carried is not None and is_all_acknowledged(self.transport):
            carried.taken_all()

    def _lose(self) -> None:
        carried, self._carried = self._carried, None
        if carried is not None:
            carried.lost()

    def _abort_unless_flushed(self) -> None:
        self._abort_after(FLUSH_SECONDS)

    def _abort_after(self, seconds: float) -> None:
        if self.phase is Phase.GONE:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def shutdown(self) -> None:
        """Called by uvicorn when the server shuts down."""
        self._lose()
        if self.phase < Phase.CLOSING:
            self._send_close(1012, "")
        self.transport.close()
        self._abort_after(LINGER_SECONDS)
