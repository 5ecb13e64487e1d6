"""What an operator orders of a tenant: a step, or one back. The same rules for the admin API and the command line.

A step forward must pass the tenant's guards, unless it is made in spite of them and says why. It is made once, at the
version that its author saw.
"""

import time
from dataclasses import dataclass, replace
from typing import Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cutover.guards import Verdict
from bridge.records.reports import Reports
from bridge.tenants.change_log import Change, Standing, back, make, newest, step_back
from bridge.tenants.tenant import Routing, Stage, Tenant
from v3.session import timestamp

GUARDED: Final = ("drain", "v3")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a tenant is to become; what is `None` stays as it is."""

    stage: Stage | None = None
    share: int | None = None
    v2_routing: Routing | None = None
    why: str = ""
    version: int | None = None
    force: bool = False

    def standing(self, tenant: Tenant) -> Standing:
        """Where the tenant would stand."""
        return Standing(
            self.stage or tenant.stage,
            tenant.share if self.share is None else self.share,
            self.v2_routing or tenant.v2_routing,
        )


class GuardFailed(Exception):
    """Guards of the tenant do not hold, and the step was not forced."""

    def __init__(self, failing: list[Verdict]) -> None:
        super().__init__(" ".join(verdict.sentence for verdict in failing))
        self.failing = failing


class ReasonMissing(Exception):
    """A step in spite of failing guards must say why."""


class NothingToRollBack(Exception):
    """The tenant stands where it started."""


class Orders:
    """Carries out what is ordered for the tenants of one deployment."""

    def __init__(self, redis: Redis, addresses: Addresses, reports: Reports) -> None:
        self._redis = redis
        self._addresses = addresses
        self._reports = reports
        self.unreadable = 0
        """Lines of records that were passed over."""

    async def change(self, tenant: Tenant, who: str, wanted: Wanted) -> Change:
        """Make a step. Raises `Stale`, `GuardFailed`, `ReasonMissing`, and what redis-py raises."""
        before, after = Standing.of(tenant), wanted.standing(tenant)
        failing = await self.failing(tenant, after)
        if failing and not wanted.force:
            raise GuardFailed(failing)
        if failing and not wanted.why.strip():
            raise ReasonMissing
        version = tenant.version if wanted.version is None else wanted.version
        forced = tuple(verdict.name for verdict in failing)
        change = Change(tenant.name, version, who, now(), before, after, wanted.why, forced=forced)
        return await make(self._redis, self._addresses, change)

    async def roll_back(self, tenant: Tenant, who: str, why: str, version: int | None = None) -> Change:
        """Take the last step back; no guard forbids it. Raises `NothingToRollBack`, `Stale`, what redis-py raises."""
        change = back(tenant, await self.last_step(tenant), who, now(), why)
        change = change if version is None else replace(change, version=version)
        return await make(self._redis, self._addresses, change)

    async def last_step(self, tenant: Tenant) -> Change:
        """The step that a rollback would take back. Raises `NothingToRollBack`."""
        last = step_back(await self.changes(tenant))
        if last is None:
            raise NothingToRollBack
        return last

    async def changes(self, tenant: Tenant) -> list[Change]:
        """The newest changes, newest first; what cannot be read is passed over, and counted."""
        record = await newest(self._redis, self._addresses, tenant.name)
        self.unreadable += record.unreadable
        return record.changes

    async def failing(self, tenant: Tenant, after: Standing) -> list[Verdict]:
        """The guards that a step would have to pass, and does not."""
        if not is_guarded(Standing.of(tenant), after):
            return []
        return [verdict for verdict in await self._reports.verdicts(tenant) if not verdict.holds]


def is_guarded(before: Standing, after: Standing) -> bool:
    """Whether a step is one that guards are asked about."""
    return after.place > before.place and after.stage in GUARDED


def now() -> str:
    """The time of day, for the record."""
    return timestamp(time.time_ns() // 1_000)
