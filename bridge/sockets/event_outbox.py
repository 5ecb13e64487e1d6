"""What waits to be sent on one stream of server-sent events, and the end of a client that does not take it.

It reads no message and decides nothing: who is slow is decided in `bridge/budget/drain.py`. What waits is framed when
it is sent, in pieces, so that the work is charged to the request and a socket's own buffer stays small.

Bounded by `OutboxBounds`, as the outbox of a WebSocket is. A slow client is not sent the rest: it can return, and hear
on from where it stopped.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, Generic, TypeVar

from starlette.types import Send

from bridge.budget.drain import Drain, OutboxBounds
from bridge.budget.outboxes import MUCH_BYTES, Outboxes

PIECE_BYTES: Final = 65_536
FLUSH_SECONDS: Final = 5.0
"""So long a client may take for the last that it is sent; then its socket is aborted."""

Item = TypeVar("Item")
Call = Callable[[], None]


class EventOutbox(Generic[Item]):
    """The outbox of one stream. `lost` must be called when the client is gone."""

    def __init__(
        self, framed: Callable[[Item], bytes], bounds: OutboxBounds, outboxes: Outboxes, slow: Call, abort: Call
    ) -> None:
        """`slow` is called to end a slow client: it calls `finish`. `abort` ends the socket at once."""
        self._framed = framed
        self._bounds = bounds
        self._outboxes = outboxes
        self.cut: Final = slow
        """Ends the client as a slow consumer."""
        self.abort: Final = abort
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Item, int]] = deque()
        self._waiting_bytes = 0
        self._drain: Drain | None = None
        self._is_any = asyncio.Event()
        self._is_finished = False
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: Item, size_bytes: int) -> None:
        """Send an item after all those before it. Does nothing after `finish`."""
        if self._is_finished:
            return
        self._waiting.append((item, size_bytes))
        self._waiting_bytes += size_bytes
        self._is_any.set()
        if self._drain is not None:
            self._drain.written_bytes += size_bytes
            if self._waiting_bytes > self._bounds.most_bytes:
                self._loop.call_soon(self._cut_if_slow)  # not now: others are being given the same
        elif self._waiting_bytes > MUCH_BYTES:
            self._drain = Drain(self._bounds)
            self._outboxes.fill(self)

    def finish(self, last: Item, *, drops_rest: bool = False) -> None:
        """Send `last` and end the response; what waits goes before it, or is dropped. Only the first call counts."""
        if self._is_finished:
            return
        if drops_rest:
            self._forget()
        self.put(last, 0)
        self._is_finished = True
        self._timer = self._loop.call_later(FLUSH_SECONDS, self.abort)

    def lost(self) -> None:
        """The client is gone, or everything was sent. Harmless when repeated."""
        self._is_finished = True
        self._forget()
        self._is_any.set()
        if self._timer is not None:
            self._timer.cancel()

    async def run(self, send: Send) -> None:
        """Send the body of the response: returns when it is finished, or the client is gone."""
        while piece := await self._next_piece():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next_piece(self) -> bytes:
        """The next bytes to send; empty at the end."""
        while not self._waiting and not self._is_finished:
            self._is_any.clear()
            await self._is_any.wait()
        piece, size_bytes = [], 0
        while self._waiting and size_bytes < PIECE_BYTES:
            item, weight = self._waiting.popleft()
            piece.append(self._framed(item))
            size_bytes += weight
        self._waiting_bytes -= size_bytes
        if self._drain is not None and self._waiting_bytes <= MUCH_BYTES:
            self._end_measurement()
        return b"".join(piece)

    def waiting_bytes(self) -> int:
        """Bytes that wait, beside those that the socket has."""
        return self._waiting_bytes

    def is_slow(self, now_seconds: float) -> bool:
        """Whether the client does not take what waits for it fast enough."""
        return self._drain is not None and self._drain.is_too_slow(self._waiting_bytes, now_seconds)

    def _cut_if_slow(self) -> None:
        if self.is_slow(monotonic()):
            self.cut()

    def _end_measurement(self) -> None:
        self._drain = None
        self._outboxes.drain(self)

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        self._end_measurement()
