"""The connections with many queued bytes: who of them is slow, and the bound on all together. It writes to no socket.

Each outbox has its own bound, but a thousand full ones would still fill the memory. So every connection with many
queued bytes is registered here. Those that do not drain (see `drain.py`) are cut off. While the rest hold more than the
bound together, those with the most queued bytes are cut off, too.
"""

import asyncio
from time import monotonic
from typing import Final, Protocol

LOOK_SECONDS: Final = 0.1
"""Pause between two checks of the bound."""
MUCH_BYTES: Final = 65_536
"""A connection with fewer queued bytes is not registered."""


class Full(Protocol):
    """A connection with many queued bytes."""

    def waiting_bytes(self) -> int:
        """Bytes that are queued for it now."""

    def is_slow(self, now_seconds: float) -> bool:
        """Whether it does not take what is queued for it fast enough."""

    def cut(self) -> None:
        """End the connection as a slow consumer, and queue nothing more for it."""


class Outboxes:
    """All connections of one process that have many queued bytes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._full: dict[Full, None] = {}
        self.cut = 0
        """Connections that were cut off because all together held too much."""

    def fill(self, one: Full) -> None:
        """Register a connection: many bytes are queued for it."""
        self._full[one] = None

    def drain(self, one: Full) -> None:
        """Remove a connection. Repeating this does no harm."""
        self._full.pop(one, None)

    @property
    def waiting_bytes(self) -> int:
        """Bytes queued for all registered connections together."""
        return sum(one.waiting_bytes() for one in self._full)

    async def run(self) -> None:
        """Check every `LOOK_SECONDS`, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Cut off who is slow, then the connections with the most queued bytes, until the rest is within the bound."""
        if not self._full:
            return
        self._cut_slow(monotonic())
        sizes = sorted(((one.waiting_bytes(), number, one) for number, one in enumerate(self._full)), reverse=True)
        too_many = sum(size for size, _, _ in sizes) - self.most_bytes
        for size, _, one in sizes:
            if too_many <= 0:
                return
            too_many -= size
            self.cut += 1
            self.drain(one)
            one.cut()

    def _cut_slow(self, now_seconds: float) -> None:
        for one in [one for one in self._full if one.is_slow(now_seconds)]:
            self.drain(one)
            one.cut()
