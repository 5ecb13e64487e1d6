"""Watches a tenant's guards for `watch_minutes` after each step, and takes the step back when one no longer holds.

Every process watches. A change is made by version, so one process takes the step back and the others find that it is
done. Redis' clock says how long ago a step was, not that of its author. Taking back only ever goes towards `legacy`.
The guards of a step that was forced are not watched. It also tells of steps that guards held up at a command line.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Final

import structlog

from bridge.broker.link import end_if_cancelled
from bridge.cutover.changes import now
from bridge.cutover.guard_facts import Guards
from bridge.cutover.guards import Verdict
from bridge.cutover.held_steps import HeldSteps
from bridge.records.store_reader import StoreReader
from bridge.tenants.change_log import Change, Stale, back, latest_step, make
from bridge.tenants.standing import Standing
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant

LOOK_SECONDS: Final = 1.0
PAUSES: Final = 4
"""A look that took long is followed by a pause of so many times its length, because a census can be large."""
WATCHER: Final = "guard"

log = structlog.get_logger(__name__)


class GuardWatch:
    """Watches the guards of all tenants that one process knows."""

    def __init__(self, reader: StoreReader, table: TenantTable, guards: Guards) -> None:
        self._redis = reader.redis
        self._addresses = reader.addresses
        self._milliseconds_now = reader.milliseconds_now
        self._table = table
        self._guards = guards
        self._held = HeldSteps(reader.redis, reader.addresses)
        self.rolled_back = 0
        self.failures = 0
        self._blind: set[str] = set()

    async def run(self) -> None:
        """Look every `LOOK_SECONDS`, until cancelled. A look that fails is counted in `failures`, and skipped."""
        spent = 0.0
        while True:
            await asyncio.sleep(max(LOOK_SECONDS, PAUSES * spent))
            began = monotonic()
            for tenant in [one for one in self._table.all() if one.guard.any]:
                await self._look_once(tenant)
                end_if_cancelled()
            spent = monotonic() - began

    async def _look_once(self, tenant: Tenant) -> None:
        """Look at one tenant. A failure is logged once for each tenant, until a look succeeds again."""
        try:
            await self._held.tell(tenant.name)
            await self.look(tenant)
            self._blind.discard(tenant.name)
        except Exception as error:  # noqa: BLE001 - any data in Redis: the process goes on
            self.failures += 1
            if tenant.name not in self._blind:
                log.warning("guards_unreadable", tenant=tenant.name, reason=f"{type(error).__name__}: {error}")
            self._blind.add(tenant.name)

    async def look(self, tenant: Tenant) -> None:
        """Take the tenant's last step back if a guard that applied to it no longer holds."""
        step = await self._watched_step(tenant)
        if step is None:
            return
        verdicts = await self._guards.of_step(tenant, step.before, step.after)
        breached = [one for one in verdicts if not one.holds and one.name not in step.forced]
        if breached:
            await self._roll_back(tenant, step, breached)

    async def _watched_step(self, tenant: Tenant) -> Change | None:
        """The last step, if it was no rollback and is still watched. A later change that moved nothing is no step."""
        since = self._milliseconds_now() - round(tenant.guard.watch_minutes * 60_000)
        step = await latest_step(self._redis, self._addresses, tenant.name, since)
        return None if step is None or step.change.kind != "change" else step.change

    async def _roll_back(self, tenant: Tenant, step: Change, breached: Iterable[Verdict]) -> None:
        why = "taken back by guard: " + " ".join(f"{verdict.name}: {verdict.sentence}" for verdict in breached)
        try:
            after = Standing.of(tenant).towards(step.before)
            await make(self._redis, self._addresses, back(tenant, after, step.version, WATCHER, now(), why))
        except Stale:
            return  # another change came first; the next look sees it
        self.rolled_back += 1
        log.warning("guard_rolled_back", tenant=tenant.name, why=why)
        await self._table.look_once()
