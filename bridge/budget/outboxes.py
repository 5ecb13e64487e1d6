"""What waits for all connections of this process together, and its bound. It writes nothing.

Each outbox has a bound of its own; a thousand that are never read would still fill the memory. So those in which much
waits are known here, and while they hold too much together the fullest are cut.
"""

import asyncio
from typing import Final, Protocol

LOOK_SECONDS: Final = 0.1
MUCH_BYTES: Final = 65_536
"""Where less waits for a connection, it is not looked at."""


class Full(Protocol):
    """A connection for which much waits."""

    def waiting_bytes(self) -> int:
        """How much waits for it now."""

    def cut(self) -> None:
        """It is a slow consumer: queue nothing more for it, and end it."""


class Outboxes:
    """The outboxes of one process in which much waits."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._full: dict[Full, None] = {}
        self.cut = 0
        """Connections that were cut because all together held too much."""

    def fill(self, one: Full) -> None:
        """Much waits for this one from now on."""
        self._full[one] = None

    def drain(self, one: Full) -> None:
        """No longer; harmless when repeated."""
        self._full.pop(one, None)

    @property
    def waiting_bytes(self) -> int:
        """How much waits, in those in which much does."""
        return sum(one.waiting_bytes() for one in self._full)

    async def run(self) -> None:
        """Look after the bound until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Cut the fullest, until what is left is within the bound."""
        if not self._full:
            return
        sizes = sorted(((one.waiting_bytes(), number, one) for number, one in enumerate(self._full)), reverse=True)
        too_many = sum(size for size, _, _ in sizes) - self._most_bytes
        for size, _, one in sizes:
            if too_many <= 0:
                return
            too_many -= size
            self.cut += 1
            self.drain(one)
            one.cut()
