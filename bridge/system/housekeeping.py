"""Gives back the memory of whoever is gone. A look now and then, and something to do only while there is much to give.

A wave of connections leaves things of Python's own behind that are small, few, and all over the place: emptied tuples
and handles kept for the next ones, names in the table of looked-up methods. Each keeps a page. They are dropped first;
of those, the tuples only go with a look through all objects, which takes long where many are connected, and is left out
there.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Sized
from math import inf
from typing import Final

from bridge.system import allocator

LOOK_SECONDS: Final = 5.0
MUCH_BYTES: Final = 2 * 1024 * 1024
FEW_CONNECTED: Final = 100
MOST_KEPT: Final = 255  # of a kind; by uvloop 250


class Housekeeping:
    """A part of one process, for as long as it runs."""

    def __init__(self, connected: Sized, has_much_in_hand: Callable[[], bool] = bool) -> None:
        """`has_much_in_hand`: whether there are many objects for now, which a look through all would take long over."""
        self._connected = connected
        self._has_much_in_hand = has_much_in_hand
        self._least_bytes = inf

    async def run(self) -> None:
        """Look at once, and now and then until cancelled. Where nothing can be given back nobody looks."""
        if not allocator.c_library.is_used:
            await asyncio.Event().wait()
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Give back, while much more is in memory than once sufficed."""
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
    """Have others kept: take out all there are, make as many that lie together, and let go of the old ones last."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    with allocator.c_library:
        called = [loop.call_soon(_nothing) for _ in range(2 * MOST_KEPT)]
        timed = [loop.call_later(LOOK_SECONDS, _nothing) for _ in range(2 * MOST_KEPT)]
        awaited = [future.__await__() for _ in range(2 * MOST_KEPT)]
    for handle in timed:
        handle.cancel()
    del handle
    await asyncio.sleep(0)  # the loop has let go of those that were called
    for taken in (called, timed, awaited):
        while taken:
            taken.pop()


def _nothing() -> None:
    """Whoever is called for nothing."""
