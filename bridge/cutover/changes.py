"""The rules for changes of a tenant's stage, share or routing, and for rollbacks.

They are the same for the admin API and the command line; each of these only words the errors in its own way. A change
towards V3 must pass the tenant's guards, unless it is forced and gives a reason. It applies to the version of the
tenant that its author saw. An author who names no version means the tenant as it is now: then the change is tried again
if another one came first.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cutover.guard_facts import Guards
from bridge.cutover.guards import Verdict, is_guarded
from bridge.tenants import change_log
from bridge.tenants.change_log import Change, Stale
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Routing, Stage, Tenant
from v3.messages import timestamp

ATTEMPTS: Final = 5

Made = TypeVar("Made")


async def carry_out(
    tenant_now: Callable[[], Awaitable[Tenant]],
    change: Callable[[Tenant], Awaitable[Made]],
    version: int | None = None,
) -> Made:
    """Make a change to a tenant as it is now. If another change came first, try again, `ATTEMPTS` times in all.

    If the author has named a `version`, try only once, because the author must look again. Raises `Stale` if the last
    attempt fails, and what `tenant_now` and `change` raise.
    """
    for _ in range(ATTEMPTS - 1 if version is None else 0):
        with contextlib.suppress(Stale):
            return await change(await tenant_now())
    return await change(await tenant_now())


@dataclass(frozen=True, slots=True)
class WantedChange:
    """What a tenant is to become. A field that is `None` stays as it is. `version`: the one that the author saw."""

    stage: Stage | None = None
    share: int | None = None
    v2_routing: Routing | None = None
    why: str = ""
    version: int | None = None
    force: bool = False

    def standing(self, tenant: Tenant) -> Standing:
        """The stage, share and routing of the tenant after this change."""
        return Standing(
            self.stage or tenant.stage,
            tenant.share if self.share is None else self.share,
            self.v2_routing or tenant.v2_routing,
        )


class GuardFailed(Exception):
    """Guards of the tenant do not hold, and the change was not forced. `failing`: the verdicts of these guards."""

    def __init__(self, failing: list[Verdict]) -> None:
        super().__init__(" ".join(verdict.sentence for verdict in failing))
        self.failing = failing


class ReasonMissing(Exception):
    """A change is forced in spite of failing guards, but gives no reason."""


class NothingToRollBack(Exception):
    """The tenant has no change that a rollback could undo: it stands where it started."""


class Changes:
    """Makes changes to the tenants of one deployment."""

    def __init__(self, redis: Redis, addresses: Addresses, guards: Guards) -> None:
        self._redis = redis
        self._addresses = addresses
        self._guards = guards
        self.unreadable = 0
        """Lines of change logs that could not be read and were skipped."""

    async def make(self, tenant: Tenant, who: str, wanted: WantedChange) -> Change:
        """Make a change. Raises `Stale`, `GuardFailed`, `ReasonMissing`, and what redis-py raises."""
        before, after = Standing.of(tenant), wanted.standing(tenant)
        failing = await self.failing(tenant, after)
        if failing and not wanted.force:
            raise GuardFailed(failing)
        if failing and not wanted.why.strip():
            raise ReasonMissing
        version = tenant.version if wanted.version is None else wanted.version
        forced = tuple(verdict.name for verdict in failing)
        change = Change(tenant.name, version, who, now(), before, after, wanted.why, forced=forced)
        return await change_log.make(self._redis, self._addresses, change)

    async def roll_back(self, tenant: Tenant, who: str, why: str, version: int | None = None) -> Change:
        """Undo the last change; guards do not apply. Raises `NothingToRollBack`, `Stale`, and what redis-py raises."""
        change = change_log.back(tenant, await self.last(tenant), who, now(), why)
        change = change if version is None else replace(change, version=version)
        return await change_log.make(self._redis, self._addresses, change)

    async def last(self, tenant: Tenant) -> Change:
        """The change that a rollback would undo. Raises `NothingToRollBack`, and what redis-py raises."""
        last = change_log.step_back(await self.newest(tenant))
        if last is None:
            raise NothingToRollBack
        return last

    async def newest(self, tenant: Tenant) -> list[Change]:
        """The newest changes, newest first. Lines that cannot be read are skipped, and counted in `unreadable`."""
        found = await change_log.newest(self._redis, self._addresses, tenant.name)
        self.unreadable += found.unreadable
        return found.changes

    async def failing(self, tenant: Tenant, after: Standing) -> list[Verdict]:
        """The verdicts of the guards that apply to a change and do not hold."""
        if not is_guarded(Standing.of(tenant), after):
            return []
        return [verdict for verdict in await self._guards.verdicts(tenant) if not verdict.holds]


def now() -> str:
    """The time of day in ISO 8601, for the change log."""
    return timestamp(time.time_ns() // 1_000)
