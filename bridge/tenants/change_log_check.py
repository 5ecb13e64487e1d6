"""Checks that the keys of the change logs in Redis hold nothing of another type. It never reads or writes a log.

If another program stores a value of another type there, the log is lost: the value is removed, the log starts again,
and one process is told.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle, islice
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.scripts import Script
from bridge.system.observers import Observers
from bridge.tenants.tenant import Tenant

LOOK_SECONDS: Final = 2.0
TENANTS_PER_LOOK: Final = 100
"""How many logs one look checks; the next look checks the next ones."""
MAKE_ROOM: Final = Script.in_file("bridge.tenants", "change_log_make_room")


class ChangeLogCheck:
    """Checks the change logs of all tenants that one process knows."""

    def __init__(self, bus: Bus, addresses: Addresses, tenants: Callable[[], Iterable[Tenant]]) -> None:
        self._bus = bus
        self._addresses = addresses
        self._tenants = tenants
        self._looked_at = 0
        self.lost: Final = Observers[[Iterable[Tenant]]]()
        """Called with the tenants whose change log was lost and starts again."""

    async def run(self) -> None:
        """Look every `LOOK_SECONDS`, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Send the checks now; the replies come later."""
        all_of_them = list(self._tenants())
        self._look_at(self._addresses.changes, all_of_them)
        most = min(len(all_of_them), TENANTS_PER_LOOK)
        for tenant in islice(cycle(all_of_them), self._looked_at, self._looked_at + most):
            self._look_at(self._addresses.record(tenant.name), [tenant])
        self._looked_at = (self._looked_at + most) % max(1, len(all_of_them))

    def _look_at(self, key: str, tenants: Iterable[Tenant]) -> None:
        MAKE_ROOM.run(self._bus, [key], [], partial(self._looked, tenants))

    def _looked(self, tenants: Iterable[Tenant], reply: object) -> None:
        if reply == 1:
            self.lost(tenants)
