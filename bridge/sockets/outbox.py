"""What waits for one client, and its bound. Synchronous: nothing here ever waits for the client.

What cannot be written at once stays in the transport's buffer. When more than the bound waits there, the client is a
slow consumer: an ERROR and a close frame are the last things queued, and if they are not flushed in time the connection
is aborted, since a polite close would wait for ever.
"""

from collections.abc import Callable
from typing import Final, Protocol

from bridge.sockets.framing import text_frame


class Wire(Protocol):
    """One open socket: an RFC 6455 connection that writes ready frames."""

    def write(self, frames: bytes) -> None:
        """What is ready to be written, now or as soon as the socket takes it."""

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Everything written, `last`, and the close frame; ends the connection even if the client never answers.

        `last` is what was framed for this wire; it leaves together with the close frame, or not at all.
        """

    def abort(self) -> None:
        """End the connection at once."""


class Outbox:
    """The way back to one client."""

    def __init__(self, wire: Wire, framed: Callable[[bytes], bytes] = text_frame) -> None:
        """`framed` makes one text ready to be written to this wire."""
        self._wire = wire
        self._framed = framed
        self._closed = False
        self.write: Final = wire.write

    def send(self, text: bytes) -> None:
        """One text frame, UTF-8; nothing once the close was queued."""
        if not self._closed:
            self._wire.write(self._framed(text))

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Everything sent so far, `last`, then the close frame. Only the first close counts."""
        if not self._closed:
            self._closed = True
            self._wire.begin_close(code, reason, self._framed(last) if last else b"")

    def abort(self) -> None:
        """End the connection at once, whatever waits."""
        self._wire.abort()

    def end(self) -> None:
        """The connection is over: nothing more is sent."""
        self._closed = True

    @property
    def is_closed(self) -> bool:
        return self._closed
