"""Turns and places: one of a tenant, two of a process, and nobody waits behind another tenant's many."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from bridge.records.report_turns import MOST_AT_ONCE, MOST_OF_A_KEY, ReportTurns, TooManyReports


class Counted:
    """Reports that are made for as long as the test wants, and how many there were at most."""

    def __init__(self) -> None:
        self.turns = ReportTurns()
        self.made: list[str] = []
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def report(self, tenant: str, key: str = "chief") -> None:
        async with self.turns.turn(tenant, key), self.turns.place():
            self.at_once[tenant] += 1
            self.most |= self.at_once + Counter({"all": self.at_once.total()})
            for _ in range(5):
                await asyncio.sleep(0)
            self.at_once[tenant] -= 1
            self.made.append(tenant)


async def test_of_a_tenant_one_is_made_at_a_time_and_of_all_two() -> None:
    counted = Counted()
    tenants = [f"t{number % 4}" for number in range(4 * MOST_OF_A_KEY)]
    await asyncio.gather(*map(counted.report, tenants))
    assert counted.most == {**dict.fromkeys(tenants, 1), "all": MOST_AT_ONCE}
    assert not counted.turns.is_any_made


async def test_another_tenant_does_not_wait_behind_the_many_of_one() -> None:
    counted = Counted()
    await asyncio.gather(*map(counted.report, ["rowdy"] * MOST_OF_A_KEY + ["victim"]))
    assert counted.made.index("victim") <= 1


async def test_beyond_the_bound_a_tenant_is_refused_and_another_is_not() -> None:
    counted = Counted()
    many = await asyncio.gather(
        *map(counted.report, ["rowdy"] * (MOST_OF_A_KEY + 3) + ["victim"]), return_exceptions=True
    )
    assert [type(one) for one in many if one is not None] == [TooManyReports] * 3
    assert Counter(counted.made) == {"rowdy": MOST_OF_A_KEY, "victim": 1}


async def test_another_key_is_not_refused_for_it_and_has_its_turn_behind_them() -> None:
    counted = Counted()
    many = [counted.report("rowdy") for _ in range(MOST_OF_A_KEY)]
    await asyncio.gather(*many, counted.report("rowdy", "boss"))
    assert (len(counted.made), counted.most["rowdy"]) == (MOST_OF_A_KEY + 1, 1)


async def test_whoever_gives_up_leaves_room_and_nothing_behind() -> None:
    counted = Counted()
    async with AsyncExitStack() as ends:
        await ends.enter_async_context(counted.turns.turn("rowdy", "chief"))
        waiting = [asyncio.create_task(counted.report("rowdy")) for _ in range(MOST_OF_A_KEY - 1)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyReports):
            await counted.report("rowdy")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await counted.report("rowdy")
    assert counted.made == ["rowdy"]
    assert (counted.turns._asked, counted.turns._turns) == ({}, {})


async def test_it_is_known_whether_any_is_made() -> None:
    turns = ReportTurns()
    found = [turns.is_any_made]
    async with turns.turn("acme", "chief"):
        found.append(turns.is_any_made)
        async with turns.place():
            found.append(turns.is_any_made)
    assert [*found, turns.is_any_made] == [False, False, True, False]
