"""The lease of each process in Redis. A process whose lease has expired is dead, and another one cleans up after it.

The renewal also tells this process what Redis has forgotten about it. The presence entries of living processes are
never touched.
"""

import asyncio
from typing import Final

import structlog

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses, process_in
from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.presence import Presence
from bridge.broker.refusal import refusal_in
from bridge.broker.scripts import Script
from bridge.broker.sweep import SWEEP_SECONDS, Sweep
from bridge.system.observers import Observers

LEASE_SECONDS: Final = 14
RENEWAL_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 2 * RENEWAL_SECONDS
"""So long after its own outage a process takes nobody for dead."""

LEASE: Final = Script.in_file("bridge.broker", "lease_renew")
CLAIM: Final = Script.in_file("bridge.broker", "lease_claim")
FORGET: Final = Script.in_file("bridge.broker", "lease_forget")

log = structlog.get_logger(__name__)


class Leases:
    """This process's lease, and the clean-up after dead processes."""

    def __init__(self, bus: Bus, addresses: Addresses, process: str, presence: Presence) -> None:
        self._bus = bus
        self._addresses = addresses
        self._process = process
        self._presence = presence
        self._has_ended = False
        self.trouble: str | None = None
        """What Redis said when it refused the last renewal, if it did. Where it does not answer, the bus says so."""
        self.swept = 0
        self.forgotten: Final = Observers[[]]()
        """Told when Redis is found not to know us: it came back empty, or was flushed."""
        self._now = asyncio.get_running_loop().time
        self._claims_from = 0.0
        bus.back.add(self._returned)

    async def run(self) -> None:
        """Renew the lease every `RENEWAL_SECONDS`, until cancelled."""
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            self.renew()

    def renew(self) -> None:
        """Renew the lease now; the reply tells what has happened since the last renewal. Does nothing after `end`."""
        if self._has_ended:
            return
        keys = [self._addresses.processes, self._addresses.swept(self._process)]
        LEASE.run(self._bus, keys, [self._process, LEASE_SECONDS], self._renewed)

    def _returned(self) -> None:
        """The bus has a link. After an outage all leases may have expired: give the others time to renew theirs."""
        if self._bus.reconnects:
            self._claims_from = self._now() + PATIENCE_SECONDS
        self.renew()

    @property
    def is_patient(self) -> bool:
        """Whether this process was away until lately: then it takes nobody for dead."""
        return self._now() < self._claims_from

    def end(self) -> None:
        """Delete the lease. Only after this process has announced LEAVE for all of its clients."""
        self._has_ended = True
        self._bus.command(pack("ZREM", self._addresses.processes, self._process), _ignore)
        self._bus.command(pack("UNLINK", self._addresses.held_by(self._process)), _ignore)

    def _renewed(self, reply: object) -> None:
        if not isinstance(reply, list):
            self.trouble = refusal_in(reply)
            return
        self.trouble = None
        state, expired = reply
        if state == b"swept":
            self._presence.return_from_the_dead()
        elif state == b"unknown":
            self._presence.rebuild()
            self.forgotten()
        self._presence.settle()
        for member in () if self.is_patient else expired:
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

    def _claimed(self, dead: str, reply: object) -> None:
        if reply == 1:
            log.warning("process_died", process=dead)
            Sweep(self._bus, self._addresses, self._presence, dead, lambda: self._swept(dead)).go_on()

    def _swept(self, dead: str) -> None:
        """All is cleaned up: remove the dead process from Redis.

        Not earlier: if something failed before, another process tries again when the claim has expired.
        """
        self._bus.command(pack("UNLINK", self._addresses.held_by(dead)), _ignore)
        FORGET.run(self._bus, [self._addresses.processes, self._addresses.swept(dead)], [dead], _ignore)
        self.swept += 1


def _ignore(reply: object) -> None:
    """Nothing to do: a lease that could not be deleted expires by itself."""
