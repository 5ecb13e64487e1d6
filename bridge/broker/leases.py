"""A process lives while it renews its lease; whoever finds one that is over cleans up after the dead.

The renewal is also how this process learns what Redis has forgotten of it. It never touches the entries of the living.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses, process_in
from bridge.broker.bus import Bus
from bridge.broker.link import pack
from bridge.broker.presence import Presence
from bridge.broker.scripts import Script
from bridge.broker.sweep import SWEEP_SECONDS, Sweep

LEASE_SECONDS: Final = 14
RENEWAL_SECONDS: Final = 3.0

LEASE: Final = Script.in_file("bridge.broker", "lease_renew")
CLAIM: Final = Script.in_file("bridge.broker", "lease_claim")
SWEPT: Final = Script.in_file("bridge.broker", "lease_forget")

log = structlog.get_logger(__name__)


class Leases:
    """This process's lease, and the sweeping after others."""

    def __init__(self, bus: Bus, addresses: Addresses, process: str, presence: Presence) -> None:
        self._bus = bus
        self._addresses = addresses
        self._process = process
        self._presence = presence
        self._forgotten: list[Callable[[], None]] = []
        self._has_ended = False
        self.trouble: str | None = None
        self.swept = 0
        bus.when_back(self.renew)

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            self.renew()

    def when_forgotten(self, call: Callable[[], None]) -> None:
        """Call this, synchronously, when Redis is found not to know us: it came back empty, or was flushed."""
        self._forgotten.append(call)

    def renew(self) -> None:
        """Renew the lease now; the answer says what has happened meanwhile. Nothing once it was given back."""
        if self._has_ended:
            return
        keys = [self._addresses.processes, self._addresses.swept(self._process)]
        LEASE.run(self._bus, keys, [self._process, LEASE_SECONDS], self._renewed)

    def end(self) -> None:
        """Give the lease back: this process has said LEAVE for all of its clients."""
        self._has_ended = True
        self._bus.command(pack("ZREM", self._addresses.processes, self._process), _ignore)
        self._bus.command(pack("UNLINK", self._addresses.held_by(self._process)), _ignore)

    def _renewed(self, reply: Any) -> None:
        if not isinstance(reply, list):
            self.trouble = "Redis cannot be reached" if reply is None else str(reply)
            return
        self.trouble = None
        state, expired = reply
        if state == b"swept":
            self._presence.return_from_the_dead()
        elif state == b"unknown":
            self._presence.rebuild()
            for call in self._forgotten:
                call()
        self._presence.settle()
        for member in expired:
            self._look_after(member)

    def _look_after(self, member: bytes) -> None:
        process = process_in(member)
        if process is not None:
            self._claim(process)
            return
        unreadable.skip("process")
        self._bus.command(pack("ZREM", self._addresses.processes, member), _ignore)

    def _claim(self, dead: str) -> None:
        keys = [self._addresses.processes, self._addresses.swept(dead)]
        CLAIM.run(self._bus, keys, [dead, SWEEP_SECONDS], lambda reply: self._claimed(dead, reply))

    def _claimed(self, dead: str, reply: Any) -> None:
        if reply == 1:
            log.warning("process_died", process=dead)
            Sweep(self._bus, self._addresses, self._presence, dead, lambda: self._swept(dead)).go_on()

    def _swept(self, dead: str) -> None:
        """Only now is the dead forgotten: what failed before this is tried again when the claim is over."""
        self._bus.command(pack("UNLINK", self._addresses.held_by(dead)), _ignore)
        SWEPT.run(self._bus, [self._addresses.processes, self._addresses.swept(dead)], [dead], _ignore)
        self.swept += 1


def _ignore(reply: Any) -> None:
    """A lease that stays is over by itself."""
