"""What the guards of a tenant judge, as it stands in a real Redis."""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import DAY, TENANT, Desk, now


async def test_the_guards_judge_two_days_of_what_v2_said(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(stashed_percent=5, quiet_days=1, refusals_per_minute=3))
    today = now()
    await desk.converted("stashed", 1_000, today - 2 * DAY)
    await desk.converted("stashed", 1, today - DAY)
    await desk.converted("exact", 18, today)
    await desk.converted("suppressed", 1, today)
    await desk.converted("stashed", 1_000, today, "v3_to_v2")
    stashed, quiet, refusals = await desk.guards.verdicts(tenant)
    assert (stashed.name, stashed.value, stashed.holds) == ("stashed_percent", 5.0, True)
    assert (quiet.name, quiet.value, quiet.holds) == ("quiet_days", 0.0, False)
    assert (refusals.name, refusals.value, refusals.holds) == ("refusals_per_minute", 0, True)


async def test_v2_is_quiet_since_its_last_message_and_v3_counts_for_nothing(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(quiet_days=3))
    await desk.converted("exact", 5, now() - 4 * DAY)
    await desk.converted("exact", 5, now(), "v3_to_v2")
    (quiet,) = await desk.guards.verdicts(tenant)
    assert (quiet.value, quiet.holds) == (4.0, True)


async def test_refusals_are_counted_for_a_minute(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(refusals_per_minute=3))
    await desk.turned_away(2)
    await desk.turned_away(1, seconds_ago=50)
    await desk.turned_away(100, seconds_ago=70)
    (refusals,) = await desk.guards.verdicts(tenant)
    assert (refusals.value, refusals.holds) == (3, True)
    await desk.turned_away(1, seconds_ago=30)
    (refusals,) = await desk.guards.verdicts(tenant)
    assert (refusals.value, refusals.holds) == (4, False)


async def test_however_many_ask_for_guards_at_once_they_are_looked_at_once_more(desk: Desk) -> None:
    tenant, looks = Tenant(TENANT, guard=GuardRules(quiet_days=1)), list[str]()
    find = desk.guards._facts._find

    async def counted(name: str) -> Any:
        looks.append(name)
        return await find(name)

    desk.guards._facts._find = counted
    await asyncio.gather(*(desk.guards.verdicts(tenant) for _ in range(20)))
    assert looks == [TENANT, TENANT]
