"""How long something took, whatever else the machine did meanwhile.

A machine of several tenants stands still now and then, a second at a time, with everything on it; and where more wants
to run than there are processors, everything waits its turn. Nobody is slow for that: where a test says that something
is done in time, such seconds must not count. Must never forgive a test's own processes the time in which they work, or
wait for anything else.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

Others = Callable[[], Iterable[int]]

TICK_SECONDS: Final = 0.02
LATE_SECONDS: Final = 0.1
"""A tick that is later by more says that the machine stood still, or had no time for us; until then it is noise."""

LARGEST_QUEUE: Final = 0.9
"""However many wait for a processor, a tenth of the time counts, so that all that is waited for has an end."""


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


def queued_seconds(others: Others) -> dict[int, float]:
    """For how long these, this process, and those they started could have run and got no processor (Linux alone)."""
    seconds = {}
    for pid in (relative for elder in (os.getpid(), *others()) for relative in family(elder)):
        with suppress(OSError):  # it ended just now
            seconds[pid] = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return seconds


def family(pid: int) -> Iterator[int]:
    """A process, its children, and theirs."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from family(int(child))


def nobody() -> Iterable[int]:
    """No other processes."""
    return ()


class Stopwatch:
    """Runs from when it is made. `others`: ids of processes that work for the test and that it did not start itself."""

    def __init__(self, others: Others = nobody) -> None:
        self._others = others
        self._begun_at = time.monotonic()
        self._stalled_before_seconds = _STALLS.seconds()
        self._queued_before_seconds = queued_seconds(others)

    @property
    def least_seconds(self) -> float:
        """Without the stalls, and without the queue for processors. For upper bounds."""
        seconds = self.all_seconds - (_STALLS.seconds() - self._stalled_before_seconds)
        return seconds - min(self._queued(), LARGEST_QUEUE * seconds)

    @property
    def all_seconds(self) -> float:
        """By the clock. For lower bounds."""
        return time.monotonic() - self._begun_at

    def _queued(self) -> float:
        """As if the processes had waited one after the other: as they do where each waits for what another says."""
        before = self._queued_before_seconds
        return sum(seconds - before.get(pid, 0.0) for pid, seconds in queued_seconds(self._others).items())


@asynccontextmanager
async def within(seconds: float, others: Others = nobody) -> AsyncIterator[None]:
    """`asyncio.timeout`, by this measure: `TimeoutError` when so many seconds are over."""
    stopwatch = Stopwatch(others)
    async with asyncio.timeout(None) as limit:

        async def end() -> None:
            left_seconds = seconds
            while left_seconds > 0:
                await asyncio.sleep(left_seconds)
                left_seconds = seconds - stopwatch.least_seconds
            limit.reschedule(asyncio.get_running_loop().time())

        ending = asyncio.create_task(end())
        try:
            yield
        finally:
            ending.cancel()
