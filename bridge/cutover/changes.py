"""The rules for changes of a tenant's stage, share, routing and guards, and for rollbacks.

They are the same for the admin API and the command line; each of these only words the errors in its own way. A step
towards V3 must pass the guards that are for it, unless it is forced and gives a reason; where it would close open V2
sockets, the tenant's name confirms that. A change applies to the version of the tenant that its author saw. An author
who names no version means the tenant as it is now: then the change is tried again if another one came first.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeVar

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.cutover.closings import Closings
from bridge.cutover.guard_facts import Guards
from bridge.cutover.guards import Verdict, guards_of
from bridge.tenants import change_log
from bridge.tenants.change_log import Change, Stale
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Routing, Stage, Tenant
from v3.messages import timestamp

ATTEMPTS: Final = 5
SHARE_MISSING: Final = "drain needs a share: how many in a hundred V2 clients are to move, such as 25 or 12.25"
SHARE_MISPLACED: Final = "a share exists in drain alone: name drain with it, or leave the share out"

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
    """What a tenant is to become. A field that is `None` stays as it is. `version`: the one that the author saw.

    `confirm`: the name of the tenant, from an author who knows that open V2 sockets may be closed.
    """

    stage: Stage | None = None
    share: float | None = None
    v2_routing: Routing | None = None
    why: str = ""
    version: int | None = None
    force: bool = False
    confirm: str | None = None

    def standing(self, tenant: Tenant) -> Standing:
        """The stage, share and routing of the tenant after this change. Raises `ShareRefused`."""
        stage = self.stage or tenant.stage
        if stage != "drain" and self.share is not None:
            raise ShareRefused(SHARE_MISPLACED)
        if stage == "drain" and tenant.stage != "drain" and self.share is None:
            raise ShareRefused(SHARE_MISSING)
        share = tenant.share if self.share is None else self.share
        return Standing.settled(stage, share, self.v2_routing or tenant.v2_routing)


class ShareRefused(Exception):
    """A change names a share that its stage does not have, or none where its stage needs one; the text says which."""


class GuardFailed(Exception):
    """Guards of the tenant do not hold, and the change was not forced. `failing`: the verdicts of these guards."""

    def __init__(self, failing: list[Verdict]) -> None:
        super().__init__(" ".join(verdict.sentence for verdict in failing))
        self.failing = failing


class ReasonMissing(Exception):
    """A change is forced, but gives no reason."""


class Unconfirmed(Exception):
    """A change would close so many open V2 sockets, and was not confirmed with the name of the tenant."""

    def __init__(self, tenant: str, sockets: int) -> None:
        closed = "1 open V2 socket" if sockets == 1 else f"{sockets} open V2 sockets"
        super().__init__(f"this closes {closed} of {tenant}" if sockets else f"this is a step of {tenant} alone")
        self.tenant = tenant
        self.sockets = sockets


class NoFacts(Exception):
    """Limits of guards are to be set where nothing is recorded that they could judge by."""

    def __init__(self) -> None:
        super().__init__("guards judge by the records, and records = false: no limit was set")


class NothingToRollBack(Exception):
    """The tenant cannot go further towards `legacy`; the text says where it stands, and what its last step was."""

    def __init__(self, tenant: Tenant, last: Change | None) -> None:
        step = "no step is on record" if last is None else f"its last step was {last.before} -> {last.after}"
        maker = "" if last is None else f", by {last.who} at {last.when[:19]}Z"
        here = Standing.of(tenant)
        super().__init__(f"{tenant.name} stands at {here}, and nothing nearer to legacy is on record: {step}{maker}")


class WayBack(NamedTuple):
    """Where a rollback leads, and the version of the step that it takes back; `None` if that is not on record."""

    after: Standing
    undone: int | None


class Changes:
    """Makes changes to the tenants of one deployment."""

    def __init__(
        self, redis: Redis, addresses: Addresses, guards: Guards, closings: Closings, *, has_records: bool
    ) -> None:
        self._redis = redis
        self._addresses = addresses
        self._guards = guards
        self._closings = closings
        self._has_records = has_records
        self.unreadable = 0
        """Lines of change logs that could not be read and were skipped."""

    async def make(self, tenant: Tenant, who: str, wanted: WantedChange) -> Change:
        """Make a change. Raises what `check` raises, `Stale`, and what redis-py raises."""
        before, after = Standing.of(tenant), wanted.standing(tenant)
        forced = tuple(guards_of(tenant.guard, before, after)) if wanted.force else ()
        await self.check(tenant, after, wanted)
        version = tenant.version if wanted.version is None else wanted.version
        change = Change(tenant.name, version, who, now(), before, after, wanted.why, forced=forced)
        return await change_log.make(self._redis, self._addresses, change)

    async def check(self, tenant: Tenant, after: Standing, wanted: WantedChange) -> None:
        """Look whether it may be made. Raises `ReasonMissing`, `GuardFailed`, `Unconfirmed`, what redis-py raises."""
        if wanted.force and not wanted.why.strip():
            raise ReasonMissing
        failing = [] if wanted.force else await self.failing(tenant, after)
        if failing:
            raise GuardFailed(failing)
        if wanted.confirm == tenant.name:
            return
        sockets = await self._closings.of(tenant, after)
        if sockets or wanted.confirm is not None:
            raise Unconfirmed(tenant.name, sockets)

    async def roll_back(self, tenant: Tenant, who: str, why: str, version: int | None = None) -> Change:
        """Go back towards `legacy`; guards do not apply. Raises `NothingToRollBack`, `Stale`, what redis-py raises."""
        after, undone = await self.way_back(tenant)
        change = change_log.back(tenant, after, undone, who, now(), why)
        change = change if version is None else replace(change, version=version)
        return await change_log.make(self._redis, self._addresses, change)

    async def way_back(self, tenant: Tenant) -> WayBack:
        """What a rollback would do. Raises `NothingToRollBack`, and what redis-py raises."""
        record, here = await self.newest(tenant), Standing.of(tenant)
        after = here.back_to(change_log.standings(record))
        if after is None:
            raise NothingToRollBack(tenant, change_log.newest_step(record))
        steps = (one for one in record if one.kind == "change" and one.before != one.after)
        return WayBack(after, next((one.version for one in steps if here.towards(one.before) == after), None))

    async def set_guards(
        self, tenant: Tenant, who: str, rules: GuardRules, why: str, version: int | None = None
    ) -> Change:
        """Set the limits of the tenant's guards. Raises `NoFacts`, `Stale`, and what redis-py raises."""
        if not self._has_records:
            raise NoFacts
        here, seen = Standing.of(tenant), tenant.version if version is None else version
        guards = (tenant.guard, rules)
        change = Change(tenant.name, seen, who, now(), here, here, why, "guards", guards=guards)
        return await change_log.make(self._redis, self._addresses, change)

    async def newest(self, tenant: Tenant) -> list[Change]:
        """The newest changes, newest first. Lines that cannot be read are skipped, and counted in `unreadable`."""
        found = await change_log.newest(self._redis, self._addresses, tenant.name)
        self.unreadable += found.unreadable
        return found.changes

    async def failing(self, tenant: Tenant, after: Standing) -> list[Verdict]:
        """The verdicts of the guards that apply to a change and do not hold."""
        verdicts = await self._guards.of_step(tenant, Standing.of(tenant), after)
        return [verdict for verdict in verdicts if not verdict.holds]


def now() -> str:
    """The time of day in ISO 8601, for the change log."""
    return timestamp(time.time_ns() // 1_000)
