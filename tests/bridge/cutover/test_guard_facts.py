"""What the guards of a tenant judge, as it stands in a real Redis."""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import DAY, TENANT, Desk, now


async def test_the_guards_judge_two_days_of_what_v2_said(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(stashed_percent=5, quiet_days=1, lost_percent=3))
    today = now()
    await desk.converted("stashed", 1_000, today - 2 * DAY)
    await desk.converted("stashed", 1, today - DAY)
    await desk.converted("exact", 18, today)
    await desk.converted("suppressed", 1, today)
    await desk.converted("stashed", 1_000, today, "v3_to_v2")
    stashed, quiet, lost = await desk.guards.verdicts(tenant)
    assert (stashed.name, stashed.value, stashed.holds) == ("stashed_percent", 5.0, True)
    assert (quiet.name, quiet.value, quiet.holds) == ("quiet_days", 0.0, False)
    assert (lost.name, lost.value, lost.holds) == ("lost_percent", None, True)


async def test_v2_is_quiet_since_its_last_message_and_v3_counts_for_nothing(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(quiet_days=3))
    await desk.converted("exact", 5, now() - 4 * DAY)
    await desk.converted("exact", 5, now(), "v3_to_v2")
    (quiet,) = await desk.guards.verdicts(tenant)
    assert (quiet.value, quiet.holds) == (4.0, True)


async def test_a_step_is_judged_by_the_guards_that_are_for_it(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(stashed_percent=5, quiet_days=3))
    drain, v3 = Standing("drain", 5, "global"), Standing("v3", 0, "global")
    names = [[one.name for one in await desk.guards.of_step(tenant, *step)] for step in ((drain, v3), (v3, drain))]
    assert names == [["stashed_percent", "quiet_days"], []]


async def test_however_many_ask_for_guards_at_once_they_are_looked_at_once_more(desk: Desk) -> None:
    tenant, looks = Tenant(TENANT, guard=GuardRules(quiet_days=1)), list[str]()
    find = desk.guards._facts._find

    async def counted(name: str) -> Any:
        looks.append(name)
        return await find(name)

    desk.guards._facts._find = counted
    await asyncio.gather(*(desk.guards.verdicts(tenant) for _ in range(20)))
    assert looks == [TENANT, TENANT]
