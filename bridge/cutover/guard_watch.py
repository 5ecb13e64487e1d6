"""Watches a tenant's guards for ten minutes after each step, and rolls the step back when a guard no longer holds.

Every process watches. A change is made by version, so one process rolls back and the others find that it is done.
A guard that was failing when the step was forced is not watched.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.link import end_if_cancelled
from bridge.cutover.changes import now
from bridge.cutover.guard_facts import Guards
from bridge.cutover.guards import Verdict, is_guarded
from bridge.tenants.change_log import Change, Stale, back, latest, make, newest, step_back
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant

LOOK_SECONDS: Final = 1.0
WATCHED_SECONDS: Final = 600
"""How long the guards are watched after a step."""
WATCHER: Final = "guard"

log = structlog.get_logger(__name__)


class GuardWatch:
    """Watches the guards of all tenants that one process knows."""

    def __init__(self, redis: Redis, addresses: Addresses, table: TenantTable, guards: Guards) -> None:
        self._redis = redis
        self._addresses = addresses
        self._table = table
        self._guards = guards
        self.rolled_back = 0
        self.failures = 0
        self._blind: set[str] = set()

    async def run(self) -> None:
        """Look every `LOOK_SECONDS`, until cancelled. A look that fails is counted in `failures`, and skipped."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for tenant in [one for one in self._table.all() if one.guard.any]:
                await self._look_once(tenant)
                end_if_cancelled()

    async def _look_once(self, tenant: Tenant) -> None:
        """Look at one tenant. A failure is logged once for each tenant, until a look succeeds again."""
        try:
            await self.look(tenant)
            self._blind.discard(tenant.name)
        except Exception as error:  # noqa: BLE001 - any data in Redis: the process goes on
            self.failures += 1
            if tenant.name not in self._blind:
                log.warning("guards_unreadable", tenant=tenant.name, reason=f"{type(error).__name__}: {error}")
            self._blind.add(tenant.name)

    async def look(self, tenant: Tenant) -> None:
        """Roll the tenant's last step back if a guard that it passed no longer holds."""
        step = await self._last_step(tenant)
        if step is None or step.kind != "change" or not is_guarded(step.before, step.after) or not _is_recent(step):
            return
        breached = [one for one in await self._guards.verdicts(tenant) if not one.holds and one.name not in step.forced]
        if breached:
            await self._roll_back(tenant, step, breached)

    async def _last_step(self, tenant: Tenant) -> Change | None:
        """The newest change. If that moved nothing, the step before it, which must still be watched."""
        step = await latest(self._redis, self._addresses, tenant.name)
        if step is None or step.before != step.after or not _is_recent(step):
            return step
        return step_back((await newest(self._redis, self._addresses, tenant.name)).changes)

    async def _roll_back(self, tenant: Tenant, step: Change, breached: Iterable[Verdict]) -> None:
        why = "taken back by guard: " + " ".join(f"{verdict.name}: {verdict.sentence}" for verdict in breached)
        try:
            await make(self._redis, self._addresses, back(tenant, step, WATCHER, now(), why))
        except Stale:
            return  # another change came first; the next look sees it
        self.rolled_back += 1
        log.warning("guard_rolled_back", tenant=tenant.name, why=why)
        await self._table.look_once()


def _is_recent(step: Change) -> bool:
    age = datetime.now(UTC) - datetime.fromisoformat(step.when)
    return age < timedelta(seconds=WATCHED_SECONDS)
