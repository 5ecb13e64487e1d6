"""Gives back the memory of whoever is gone. A look now and then, and something to do only while there is much to give.

A wave of connections leaves things of Python's own behind that are small, few, and all over the place: emptied tuples
kept for the next ones, names in the table of looked-up methods. Each keeps a page. They are dropped first; of those,
the tuples only go with a look through all objects, which takes long where many are connected, and is left out there.
"""

import asyncio
import gc
import sys
from collections.abc import Sized
from math import inf
from typing import Final

from bridge import allocator

LOOK_SECONDS: Final = 5.0
MUCH_BYTES: Final = 2 * 1024 * 1024
FEW_CONNECTED: Final = 100


class Housekeeping:
    """A part of one process, for as long as it runs."""

    def __init__(self, connected: Sized) -> None:
        self._connected = connected
        self._least_bytes = inf

    async def run(self) -> None:
        """Look at once, and now and then until cancelled. Where nothing can be given back nobody looks."""
        if not allocator.c_library.is_used:
            await asyncio.Event().wait()
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Give back, while much more is in memory than once sufficed."""
        resident = allocator.resident_bytes()
        self._least_bytes = min(resident, self._least_bytes)
        if resident > self._least_bytes + MUCH_BYTES:
            self._give_back()

    def _give_back(self) -> None:
        if len(self._connected) <= FEW_CONNECTED:
            gc.collect()
        sys._clear_type_cache()  # noqa: SLF001 - it is for this, and has no other name before Python 3.13
        allocator.give_back()
