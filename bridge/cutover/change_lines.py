"""Log lines about changes of tenants: who moved which tenant from where to where, and why; one in each process.

A change may come from another process, or from the command line: it is told when this process obeys it. It changes
nothing. Bounded by the tenants: each waits at most once, and then only its last change is told.
"""

import asyncio

import structlog
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import latest
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant

log = structlog.get_logger(__name__)


class ChangeLines:
    """The lines of one process."""

    def __init__(self, redis: Redis, addresses: Addresses) -> None:
        self._redis = redis
        self._addresses = addresses
        self._waiting: dict[str, tuple[Standing, Standing]] = {}
        self._is_any_waiting = asyncio.Event()

    def changed(self, before: Tenant, after: Tenant) -> None:
        """Note that this process obeys a change of a tenant."""
        if Standing.of(before) != Standing.of(after):
            first, _ = self._waiting.get(after.name, (Standing.of(before), None))
            self._waiting[after.name] = first, Standing.of(after)
            self._is_any_waiting.set()

    async def run(self) -> None:
        """Tell of changes as they come, until cancelled."""
        while True:
            await self._is_any_waiting.wait()
            self._is_any_waiting.clear()
            waiting, self._waiting = self._waiting, {}
            for name, (before, after) in waiting.items():
                who, why = await self._author(name)
                log.info("tenant_moved", tenant=name, before=str(before), after=str(after), who=who, why=why)

    async def _author(self, name: str) -> tuple[str, str]:
        """Who made the last change, and why; empty if Redis cannot tell."""
        try:
            change = await latest(self._redis, self._addresses, name)
        except Exception:  # noqa: BLE001 - any data in Redis, any fault of the connection: the line is written anyway
            return "", ""
        return ("", "") if change is None else (change.who, change.why)
