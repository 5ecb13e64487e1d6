"""What the guards of a tenant judge, as it stands in a real Redis."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Any

import pytest

from bridge.records.rows import Facts, Noted, RefusedName
from bridge.tenants.change_log import Change, make
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import DAY, TENANT, Desk, moment, now, v2, v3


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


# Whom the newest step has lost.

WATCHED = Tenant(TENANT, guard=GuardRules(lost_percent=20, grace_seconds=60))
BRIDGE, DRAIN, V3 = Standing("bridge", 0, "global"), Standing("drain", 50, "global"), Standing("v3", 0, "global")
MINUTE = 60_000


async def step(
    desk: Desk, version: int, before: Standing, after: Standing, ago: int, *, wrong_by: int = 0, **more: Any
) -> None:
    """A step that was made so many milliseconds ago, by an author whose clock is wrong by so many."""
    change = Change(TENANT, version, "ann", moment(now() - ago + wrong_by), before, after, "", **more)
    await make(desk.redis, desk.addresses, change)
    await desk.made_at(now() - ago)


async def move(desk: Desk, client_id: str, ago: int, knocks: int = 0, *, is_known: bool = True) -> None:
    """A client of V2 was moved so many milliseconds ago, and has knocked so often since, a moment ago for the last."""
    visitor, moved_at = v2(client_id), now() - ago
    if is_known:
        await desk.met(visitor, moved_at - DAY, moved_at)
    refused = RefusedName("v2", client_id)
    facts = Facts("moved_to_v3", "", "192.0.2.0/24", "lobby", "v2")
    remark = f"{moved_at} {knocks} 0 {json.dumps(asdict(facts))}"
    last = now() - 1_000 if knocks else moved_at
    await desk.note(desk.tables.refused, Noted(refused.key(), moved_at, last, knocks, remark))


async def lost(desk: Desk) -> tuple[float | None, bool]:
    (verdict,) = await desk.guards.verdicts(WATCHED)
    return verdict.value, verdict.holds


async def test_of_those_whom_a_step_moved_whoever_knocks_on_and_on_is_lost(desk: Desk) -> None:
    await step(desk, 0, BRIDGE, DRAIN, 2 * MINUTE)
    for number in range(3):
        await move(desk, f"quiet-{number}", 100_000)
    assert await lost(desk) == (0.0, True)
    await move(desk, "loop", 100_000, knocks=9)
    assert await lost(desk) == (25.0, False)
    await desk.met(v3("loop"), now(), now())
    assert await lost(desk) == (0.0, True)


@pytest.mark.parametrize("wrong_by", [-60 * MINUTE, -5 * MINUTE, 5 * MINUTE, 60 * MINUTE])
async def test_the_clock_of_who_made_the_step_does_not_matter(desk: Desk, wrong_by: int) -> None:
    await step(desk, 0, BRIDGE, DRAIN, 2 * MINUTE, wrong_by=wrong_by)
    await move(desk, "earlier", 4 * MINUTE, knocks=9)
    await move(desk, "loop", 100_000, knocks=9)
    assert await lost(desk) == (100.0, False)


async def test_nobody_is_lost_within_the_grace_and_nobody_who_was_not_known_before(desk: Desk) -> None:
    await step(desk, 0, BRIDGE, DRAIN, 2 * MINUTE)
    await move(desk, "hasty", 50_000, knocks=9)
    for number in range(25):
        await move(desk, f"stranger-{number}", 100_000, knocks=9, is_known=False)
    assert await lost(desk) in ((0.0, True), (None, True))


async def test_a_new_step_is_judged_by_those_whom_it_moves_itself(desk: Desk) -> None:
    await step(desk, 0, BRIDGE, DRAIN, 10 * MINUTE)
    await move(desk, "loop", 9 * MINUTE, knocks=90)
    assert await lost(desk) == (100.0, False)
    await step(desk, 1, DRAIN, BRIDGE, 5 * MINUTE, kind="rollback")
    assert await lost(desk) == (None, True)
    await step(desk, 2, BRIDGE, V3, 4 * MINUTE)
    assert await lost(desk) == (None, True)


async def test_a_step_that_no_guard_applies_to_loses_nobody(desk: Desk) -> None:
    await step(desk, 0, DRAIN, BRIDGE, 2 * MINUTE)
    await move(desk, "loop", 100_000, knocks=9)
    assert await lost(desk) == (None, True)


async def test_however_many_ask_for_guards_at_once_they_are_looked_at_once_more(desk: Desk) -> None:
    tenant, looks = Tenant(TENANT, guard=GuardRules(quiet_days=1)), list[str]()
    find = desk.guards._facts._find

    async def counted(asked: Tenant) -> Any:
        looks.append(asked.name)
        return await find(asked)

    desk.guards._facts._find = counted
    await asyncio.gather(*(desk.guards.verdicts(tenant) for _ in range(20)))
    assert looks == [TENANT, TENANT]
