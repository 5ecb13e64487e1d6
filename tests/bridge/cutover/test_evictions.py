"""What a change of a tenant means for connections: who has to go, under which code, and who may stay."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.cutover.evictions import Eviction, Evictions
from bridge.tenants.share import bucket
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.broker.parts import running, until
from tests.bridge.messaging.test_connections import Opened, World, facts_of
from tests.stopwatch import Stopwatch

SUCCESSOR = {"successor": "/v3/ws/group/team/client/v2-42"}
IN_BUCKET = bucket("42")


class Street:
    """Connections of one tenant, and the evictions that follow from its changes."""

    def __init__(self) -> None:
        self.world = World()
        self.tenant = Tenant("acme")
        self.evictions = Evictions(self.world.connections, lambda name: self.tenant if name == "acme" else None, 1_000)

    def open(self, protocol: Any, client: str, path_ids: tuple[str | None, str | None], tenant: str = "acme") -> Opened:
        group = "lobby" if path_ids[0] is None else "team"
        opened = Opened(self.world, facts_of(Place(tenant, group, client, protocol), path_ids))
        opened.connection.begin()
        return opened

    async def change(self, tenant: Tenant) -> None:
        """The tenant is so from now on, and whoever has to go has been told."""
        before, self.tenant = self.tenant, tenant
        self.evictions.apply(before, tenant)
        async with running(self.evictions):
            await until(lambda: not self.evictions.waiting)


@pytest.fixture
async def street(anyio_backend: Any) -> Street:
    return Street()


def v2(street: Street) -> Opened:
    return street.open("v2", "v2-42", ("team", "42"))


def v3(street: Street) -> Opened:
    return street.open("v3", "ann", ("team", "ann"))


@pytest.mark.parametrize(
    ("tenant", "of_v2", "of_v3"),
    [
        (Tenant("acme", stage="legacy"), [], [("stage_legacy", {})]),
        (Tenant("acme", stage="bridge", share=100), [], []),
        (Tenant("acme", stage="drain", share=IN_BUCKET), [], []),
        (Tenant("acme", stage="drain", share=IN_BUCKET + 1), [("moved_to_v3", SUCCESSOR)], []),
        (Tenant("acme", stage="v3"), [("v2_retired", SUCCESSOR)], []),
    ],
    ids=["legacy", "bridge", "drain, not yet", "drain", "v3"],
)
async def test_a_stage_sends_away_whoever_it_refuses(street: Street, tenant: Tenant, of_v2: Any, of_v3: Any) -> None:
    old, new = v2(street), v3(street)
    await street.change(tenant)
    assert (old.session.refusals, new.session.refusals) == (of_v2, of_v3)


async def test_another_tenants_connections_stay(street: Street) -> None:
    other = street.open("v2", "v2-42", ("team", "42"), tenant="other")
    await street.change(Tenant("acme", stage="v3"))
    assert other.codes == []


async def test_a_change_taken_back_lets_those_stay_whose_turn_has_not_come(street: Street) -> None:
    old = v2(street)
    street.evictions.apply(street.tenant, Tenant("acme", stage="v3"))
    await street.change(Tenant("acme"))
    assert old.codes == []


async def test_a_generated_id_is_the_last_to_drain(street: Street) -> None:
    generated = street.open("v2", "anonymous-x", (None, None))
    await street.change(Tenant("acme", stage="drain", share=99))
    assert generated.codes == []
    await street.change(Tenant("acme", stage="drain", share=100))
    assert generated.codes == ["moved_to_v3"]


@pytest.mark.parametrize(
    ("id_map", "of_v2", "of_v3"),
    [
        ({"42": "Xk3"}, ["going_away"], []),
        ({"7": "Xk3"}, [], []),
        ({"ann": "Xk3"}, [], ["going_away"]),
        ({"team": "Yl4"}, ["going_away"], ["going_away"]),
    ],
    ids=["the client's", "another's", "an alias", "the group's"],
)
async def test_whose_name_changes_returns_under_the_new_one(
    street: Street, id_map: dict[str, str], of_v2: list[str], of_v3: list[str]
) -> None:
    old, new = v2(street), v3(street)
    await street.change(Tenant("acme", names=Names(id_map)))
    assert (old.codes, new.codes) == (of_v2, of_v3)


async def test_a_generated_id_keeps_its_name(street: Street) -> None:
    generated = street.open("v2", "anonymous-x", (None, None))
    await street.change(Tenant("acme", names=Names({"anonymous-x": "Xk3"})))
    assert generated.codes == []


async def test_whoever_gave_no_group_goes_with_the_default_group(street: Street) -> None:
    in_the_lobby = street.open("v2", "v2-42", (None, "42"))
    await street.change(Tenant("acme", names=Names({"lobby": "Team7"})))
    assert in_the_lobby.codes == ["going_away"]


async def test_who_arrives_while_the_tenant_changes_is_looked_at_when_it_has_arrived(street: Street) -> None:
    street.tenant = Tenant("acme", stage="v3")
    late = v2(street)
    async with running(street.evictions):
        await until(lambda: late.codes == ["v2_retired"])


async def test_who_arrives_in_a_tenant_that_nobody_knows_stays(street: Street) -> None:
    stranger = street.open("v2", "v2-42", ("team", "42"), tenant="unknown")
    await street.change(street.tenant)
    assert stranger.codes == []


# Their pace.


def paced(per_second: float) -> tuple[World, Evictions]:
    """Connections of tenants that nobody knows, who have to go when a test says so."""
    world = World()
    return world, Evictions(world.connections, lambda _: None, per_second)


async def test_evictions_are_paced() -> None:
    world, evictions = paced(20)
    opened = [world.open(f"c{number}") for number in range(30)]
    async with running(evictions):
        for each in opened:
            evictions.evict(each.connection, Eviction("moved_to_v3", {"successor": "/v3"}))
        stopwatch = Stopwatch()
        await until(lambda: all(each.session.refusals for each in opened))
        assert stopwatch.all_seconds > 1.2
        assert stopwatch.least_seconds < 2.5
    assert opened[0].session.refusals == [("moved_to_v3", {"successor": "/v3"})]


async def test_time_in_which_nobody_had_to_go_is_not_made_up_for() -> None:
    """Or the first fifty would go at once, and everyone else would wait for that."""
    world, evictions = paced(20)
    async with running(evictions):
        await asyncio.sleep(0.5)
        opened = [world.open(f"c{number}") for number in range(20)]
        stopwatch = Stopwatch()
        for each in opened:
            evictions.evict(each.connection, Eviction("moved_to_v3", {}))
        await until(lambda: opened[0].codes)
        assert sum(len(each.codes) for each in opened) <= 1 + 20 * stopwatch.all_seconds


async def test_evictions_without_a_pace_leave_turns_to_others() -> None:
    world, evictions = paced(0)
    opened = [world.open(f"c{number}") for number in range(250)]
    for each in opened:
        evictions.evict(each.connection, Eviction("v2_retired", {}))
    async with running(evictions):
        assert await until(lambda: opened[0].codes) < 0.5
        assert evictions.waiting == 150
        await until(lambda: not evictions.waiting)
    assert evictions.evicted == 250


async def test_an_eviction_taken_back_or_overtaken_by_the_end_is_not_made() -> None:
    world, evictions = paced(1_000)
    stays, gone, goes = world.open("stays"), world.open("gone"), world.open("goes")
    for each in (stays, gone, goes):
        evictions.evict(each.connection, Eviction("v2_retired", {}))
    evictions.stay(stays.connection)
    evictions.stay(stays.connection)
    gone.connection.lost()
    async with running(evictions):
        await until(lambda: goes.codes)
    assert (stays.codes, gone.codes, goes.codes) == ([], [], ["v2_retired"])


async def test_slow_evictions_are_made_too() -> None:
    world, evictions = paced(2)
    first, second = world.open("a"), world.open("b")
    for each in (first, second):
        evictions.evict(each.connection, Eviction("v2_retired", {}))
    async with running(evictions):
        assert await until(lambda: first.codes) < 0.8
        stopwatch = Stopwatch()
        assert await until(lambda: second.codes) < 0.8
        assert stopwatch.all_seconds > 0.3
