"""How long something took, whatever else the machine did meanwhile.

A machine of several tenants stands still now and then, a second at a time, with everything on it. Nobody is slow for
that: where a test says that something is done in time, such a second must not count. Must never forgive a test's own
process the time in which it works, or waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

TICK_SECONDS: Final = 0.02
LATE_SECONDS: Final = 0.1
"""A tick that is later by more says that the machine stood still, or had no time for us; until then it is noise."""


class _Stalls(threading.Thread):
    """Ticks, and adds up by how much the ticks were late."""

    def __init__(self) -> None:
        super().__init__(name="stalls", daemon=True)
        self._seconds_and_due_at = 0.0, time.monotonic() + TICK_SECONDS  # one value: two threads see it whole

    def run(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            self._seconds_and_due_at = self.seconds(), time.monotonic() + TICK_SECONDS

    def seconds(self) -> float:
        """All until now, also of a stall after which this thread has not had its turn yet."""
        seconds, due_at = self._seconds_and_due_at
        late_seconds = time.monotonic() - due_at
        return seconds + (late_seconds if late_seconds > LATE_SECONDS else 0.0)


_STALLS: Final = _Stalls()
_STALLS.start()


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._begun_at = time.monotonic()
        self._stalled_before_seconds = _STALLS.seconds()

    @property
    def least_seconds(self) -> float:
        """Without the stalls. For upper bounds."""
        return self.all_seconds - (_STALLS.seconds() - self._stalled_before_seconds)

    @property
    def all_seconds(self) -> float:
        """By the clock. For lower bounds."""
        return time.monotonic() - self._begun_at


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, by this measure: `TimeoutError` when so many seconds are over, without the stalls."""
    stopwatch = Stopwatch()
    async with asyncio.timeout(None) as limit:

        async def end() -> None:
            while (left_seconds := seconds - stopwatch.least_seconds) > 0:  # noqa: ASYNC110 - time is what it waits for
                await asyncio.sleep(left_seconds)
            limit.reschedule(asyncio.get_running_loop().time())

        ending = asyncio.create_task(end())
        try:
            yield
        finally:
            ending.cancel()
