"""What waits to be sent on a WebSocket, and the end of a client that does not take it. It reads no message.

What the kernel does not take waits in uvloop's buffer. Only while much waits (`MUCH_BYTES`) anything is measured: a
write to a client that keeps up costs one comparison. Who is slow is decided in `bridge/budget/drain.py`.
"""

import asyncio
from time import monotonic
from typing import Any

from bridge.budget.drain import Drain, OutboxBounds
from bridge.budget.outboxes import MUCH_BYTES
from bridge.sockets.websocket_closing import WebSocketClosing


class WebSocketOutbox(WebSocketClosing):
    """One WebSocket: the part that sends."""

    __slots__ = ("_drain",)

    outbox_bounds: OutboxBounds = OutboxBounds()
    """How much may wait for a client, and how fast it must take it."""

    def __init__(self, transport: asyncio.Transport, open_sockets: set[Any], *, is_forwarded: bool) -> None:
        super().__init__(transport, open_sockets, is_forwarded=is_forwarded)
        self._drain: Drain | None = None  # the measurement, while much waits

    def _watch_outbox(self) -> None:
        self.transport.set_write_buffer_limits(high=min(MUCH_BYTES, self.outbox_bounds.most_bytes))

    def write(self, frames: bytes) -> None:
        """Write framed bytes, now or as soon as the socket takes them."""
        self.transport.write(frames)
        if self._drain is not None:
            self._note_backlog(self._drain, len(frames))

    def _note_backlog(self, drain: Drain, size_bytes: int) -> None:
        """Note what was written while much waits; beyond the bound, look whether the client is slow."""
        drain.written_bytes += size_bytes
        if self.waiting_bytes() > self.outbox_bounds.most_bytes:
            # Not now: the hub is in the middle of writing to other listeners.
            asyncio.get_running_loop().call_soon(self._cut_if_slow)

    def waiting_bytes(self) -> int:
        """Bytes in the transport's buffer, which the socket has not taken yet."""
        return self.transport.get_write_buffer_size()

    def is_slow(self, now_seconds: float) -> bool:
        """Whether the client does not take what waits for it fast enough."""
        return self._drain is not None and self._drain.is_too_slow(self.waiting_bytes(), now_seconds)

    def _cut_if_slow(self) -> None:
        if self.is_slow(monotonic()):
            self.cut()

    def cut(self) -> None:
        """End a slow consumer: an ERROR and the close frame are the last data queued for it."""
        if self._carried is not None:
            self._carried.refuse("slow_consumer")
            self._abort_unless_flushed()

    def pause_writing(self) -> None:
        """The transport's buffer has reached its high-water mark. Called within the write that caused it."""
        self._drain = Drain(self.outbox_bounds)
        self.budget.outboxes.fill(self)

    def resume_writing(self) -> None:
        self._drain = None
        self.budget.outboxes.drain(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.budget.outboxes.drain(self)
        super().connection_lost(exc)
