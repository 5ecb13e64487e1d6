"""Returns the memory of ended connections to the operating system: checks regularly, acts only when there is much.

After a wave of connections Python keeps small objects for reuse, scattered over the memory: empty tuples and handles in
free lists, names in the method cache. Each of them keeps a whole page in use. They are dropped first. Tuples are
dropped only by a full garbage collection. That takes long while many sockets are open, and is left out then: nobody
whose client comes back, with all others of a bridge that has ended, may wait for it.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Sized
from math import inf
from typing import Final

from bridge.system import allocator

LOOK_SECONDS: Final = 5.0
"""Pause between two checks."""
MUCH_BYTES: Final = 2 * 1024 * 1024
"""Memory is returned when the process uses so much more than its least use so far."""
FEW_CONNECTED: Final = 100
"""A full garbage collection runs only while no more sockets than this are open."""
MOST_KEPT: Final = 255  # objects in one free list; uvloop keeps 250


class Housekeeping:
    """The memory checks of one process, for as long as it runs."""

    def __init__(self, connected: Sized, has_much_in_hand: Callable[[], bool] = bool) -> None:
        """`connected`: the open sockets, those of clients that are still in their handshake, too.

        `has_much_in_hand` tells whether there are many objects now, so that a full garbage collection would take long.
        """
        self._connected = connected
        self._has_much_in_hand = has_much_in_hand
        self._least_bytes = inf

    async def run(self) -> None:
        """Check at once and every `LOOK_SECONDS`, until cancelled. Where memory cannot be returned it only waits."""
        if not allocator.c_library.is_used:
            await asyncio.Event().wait()
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Return memory, if the process uses `MUCH_BYTES` more than its least use so far."""
        try:
            resident = allocator.resident_bytes()
        except OSError:  # no file can be opened now
            return
        self._least_bytes = min(resident, self._least_bytes)
        if resident > self._least_bytes + MUCH_BYTES:
            await self._give_back()

    async def _give_back(self) -> None:
        await _exchange_kept()
        if len(self._connected) <= FEW_CONNECTED and not self._has_much_in_hand():
            gc.collect()
        sys._clear_type_cache()  # noqa: SLF001 - it is for this, and has no other name before Python 3.13
        allocator.give_back()


async def _exchange_kept() -> None:
    """Fill Python's free lists with new objects that lie close together, so that the old, scattered ones are freed.

    Takes all objects out of the free lists, makes as many new ones, and drops the old ones last, when the lists are
    full.
    """
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    with allocator.c_library:
        called = [loop.call_soon(_nothing) for _ in range(2 * MOST_KEPT)]
        timed = [loop.call_later(LOOK_SECONDS, _nothing) for _ in range(2 * MOST_KEPT)]
        awaited = [future.__await__() for _ in range(2 * MOST_KEPT)]
    for handle in timed:
        handle.cancel()
    del handle
    await asyncio.sleep(0)  # the loop has dropped the handles that were called
    for taken in (called, timed, awaited):
        while taken:
            taken.pop()


def _nothing() -> None:
    """Does nothing: only the handle that calls it is needed."""
