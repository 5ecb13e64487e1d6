"""Sees that nothing else stands under the name of the record of changes. It never reads the record, nor writes to it.

Whoever put another type there has ended the record: it begins anew, and one process is told to say so.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from bridge.broker import scripts
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus

LOOK_SECONDS: Final = 2.0


class RecordWatch:
    """The watch of one process. `lost` is called, synchronously, where this process has made room for the record."""

    def __init__(self, bus: Bus, addresses: Addresses, lost: Callable[[], None]) -> None:
        self._bus = bus
        self._key = addresses.changes
        self._lost = lost

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Look now; the answer comes later."""
        scripts.MAKE_ROOM.run(self._bus, [self._key], [], self._looked)

    def _looked(self, reply: Any) -> None:
        if reply == 1:
            self._lost()
