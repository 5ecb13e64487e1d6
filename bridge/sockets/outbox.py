"""Sends to one client. Synchronous: nothing here waits for the client.

Data that the socket does not take at once stays in the buffer of the wire. How much may wait there, and what becomes of
a client that does not read, is decided by the wire: `websocket_outbox.py`, or `bridge/socketio/transport.py`.
"""

from collections.abc import Callable
from typing import Final, Protocol

from bridge.sockets.framing import text_frame


class Wire(Protocol):
    """One open socket that takes framed bytes: an RFC 6455 connection, or a namespace of a Socket.IO session."""

    def write(self, frames: bytes) -> None:
        """Write framed bytes, now or as soon as the socket takes them."""

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Write `last` and the close frame, after everything written before. Ends even if the client never answers.

        `last` is framed for this wire. It is sent together with the close frame, or not at all.
        """

    def abort(self) -> None:
        """End the connection at once."""


class Outbox:
    """Frames and sends the texts of one session."""

    __slots__ = ("_closed", "_framed", "_wire", "is_leaving", "write")

    def __init__(self, wire: Wire, framed: Callable[[bytes], bytes] = text_frame) -> None:
        """`framed` frames one text, UTF-8, for this wire."""
        self._wire = wire
        self._framed = framed
        self._closed = False
        self.is_leaving = False
        """Whether the client is about to be sent away, and may not be sent everything any more."""
        self.write: Final = wire.write

    def send(self, text: bytes) -> None:
        """Send one text, UTF-8. Does nothing once the connection is closing."""
        if not self._closed:
            self._wire.write(self._framed(text))

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Send the text `last`, if there is one, then the close frame, after everything sent so far.

        Only the first call counts.
        """
        if not self._closed:
            self._closed = True
            self._wire.begin_close(code, reason, self._framed(last) if last else b"")

    def abort(self) -> None:
        """End the connection at once; buffered data is dropped."""
        self._wire.abort()

    def end(self) -> None:
        """The connection is over: nothing more is sent."""
        self._closed = True

    @property
    def is_closed(self) -> bool:
        return self._closed
