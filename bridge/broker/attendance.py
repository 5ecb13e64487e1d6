"""Whether every living process listens at this Redis server. Only then is a client whom no message reaches not there.

A process whose subscriber has lost its link, or that has not yet followed to another server, may hold the client: its
lease shows that it lives, and the channel under its name whether it listens. It is asked only where a message to one
client had no receivers, once for all of a turn of the event loop. It decides nothing about messages.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.leases import Leases
from bridge.broker.notices import CANARY
from bridge.broker.scripts import Script

MOST_PROCESSES: Final = 256
UNSURE_SECONDS: Final = 2.0
"""So long after one did not listen nobody is sure: what is asked about may have been said before it did."""
ATTENDANCE: Final = Script.in_file("bridge.broker", "attendance")

Answer = Callable[[bool], None]


class Attendance:
    """The questions of one process."""

    def __init__(self, bus: Bus, addresses: Addresses, leases: Leases) -> None:
        self._bus = bus
        self._addresses = addresses
        self._leases = leases
        self._asking: list[Answer] = []  # of one turn of the event loop
        self._loop = asyncio.get_running_loop()
        self._unsure_until = 0.0

    def ask(self, done: Answer) -> None:
        """Ask whether all listen. They may not, too, while Redis does not say so, and when this process was away."""
        if self._leases.is_patient:
            done(False)
            return
        if not self._asking:
            self._loop.call_soon(self._ask)
        self._asking.append(done)

    def _ask(self) -> None:
        asking, self._asking = self._asking, []

        def answered(reply: Any) -> None:
            if reply is None or reply == 0:  # a user who may not ask takes it that all listen
                self._unsure_until = self._loop.time() + UNSURE_SECONDS
            is_sure = self._loop.time() >= self._unsure_until
            for done in asking:
                done(is_sure)

        begin = self._addresses.listening_process("")
        ATTENDANCE.run(self._bus, [self._addresses.processes], [begin, CANARY, MOST_PROCESSES], answered)
