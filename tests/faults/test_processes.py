"""Faults of the processes: killed, stopped, stalled; and tenants and clients that are moved meanwhile."""

from __future__ import annotations

import asyncio

from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import Change, make
from bridge.tenants.standing import Standing
from tests.end_to_end.clients import eventually
from tests.end_to_end.test_flips import FLIPS, STANDINGS
from tests.faults.members import Member
from tests.faults.population import FEW
from tests.faults.scene import Scene, Staged, row
from tests.stopwatch import Stopwatch

GHOST_SECONDS = 15.0
"""With leases of 5 s in place of 14 s: then 30 s."""
DRAIN_SECONDS = 5.0
STALL_SECONDS = 5.0


@row(without="sweeps", breaks="gone", staged=Staged(haste="short leases"))
async def test_a_process_is_killed(scene: Scene) -> None:
    """Who was there and does not come back leaves, once. The others come back elsewhere, and miss nothing."""
    gone = [one for one in scene.of_process(1) if one not in scene.population.speakers][:6]
    async with scene.population.talking():
        await scene.all_hear()
        scene.population.lose(gone)
        scene.bridges[1].kill()
        async with scene.law("gone", GHOST_SECONDS):
            await asyncio.gather(*(heard_leave(scene, one) for one in gone))
        await scene.presence_is_whole(0)
        await scene.population.all_in()
    async with scene.law("the other is not concerned"):
        assert [one.book.codes for one in scene.of_process(0) if one.book.codes] == []
    await asyncio.to_thread(scene.bridges[1].start)


async def heard_leave(scene: Scene, gone: Member) -> None:
    """Each of V3 in its group who was on the other process hears of it, once."""
    event = "LEAVE", gone.book.name
    for witness in scene.of_process(0):
        if witness.door.language == "v3" and witness.book.group == gone.book.group:
            await witness.until(lambda one: event in one.presence)
            assert witness.presence.count(event) == 1


@row(without="last words", breaks="unannounced", staged=Staged(is_far=True, drain_seconds=DRAIN_SECONDS))
async def test_a_process_is_stopped(scene: Scene) -> None:
    """Nobody misses anything, and what was said before its end could be known is heard."""
    population = scene.population
    population.a_second = 20
    async with population.talking():
        await scene.all_hear()
        stopwatch = Stopwatch()
        status = await asyncio.to_thread(scene.bridges[0].terminate)
        async with scene.law("in time"):
            assert (status, stopwatch.least_seconds < DRAIN_SECONDS) == (0, True)
        population.a_second = 4
        await population.all_in()
    await asyncio.to_thread(scene.bridges[0].start)


@row(without="leases that outlast a stall", breaks="no flapping")
async def test_a_process_stands_still(scene: Scene) -> None:
    async with scene.population.talking():
        await scene.all_hear()
        scene.bridges[0].freeze()
        await asyncio.sleep(STALL_SECONDS)  # so long it stands still
        scene.bridges[0].thaw()
        await scene.all_hear()
        await scene.presence_is_whole()
    async with scene.law("no flapping"):
        assert [event for one in scene.members for event in one.presence if event[0] == "LEAVE"] == []


@row(without="tenants apart", breaks="crossed", staged=Staged(members=FEW, tenants=("one", "two")))
async def test_a_tenant_is_flipped_ten_times_a_second(scene: Scene) -> None:
    first, second = scene.populations
    for member in first.members:
        member.book.hears_all_groups = None
    async with first.talking(), second.talking():
        for number in range(FLIPS):
            await order(
                scene, "one", number, STANDINGS[(number - 1) % len(STANDINGS)], STANDINGS[number % len(STANDINGS)]
            )
            await asyncio.sleep(0.1)  # ten a second
    said = [one for one in first.sayings.by_number.values() if (one.tenant, one.language) == ("one", "v2")]
    converted = [
        await scene.metric(process, "bridge_conversions_total", tenant="one", direction="v2_to_v3")
        for process in (0, 1)
    ]
    async with scene.law("one conversion each"):
        assert sum(converted) == len(said)


async def order(scene: Scene, tenant: str, version: int, before: Standing, after: Standing) -> None:
    await make(scene.asking, Addresses(scene.prefix), Change(tenant, version, "ann", "", before, after, "test"))


@row(without="cursors of those who are moved", breaks="promised")
async def test_clients_are_moved_and_some_are_not_any_more(scene: Scene) -> None:
    """They go to V3 and miss nothing; and the last that is heard of them is true."""
    moving = [one for one in scene.members if one.door.language == "v2"]
    before = Standing("bridge", 0, "global")
    async with scene.population.talking():
        await scene.all_hear()
        for version, share in enumerate((30, 60, 10, 100)):
            after = Standing("drain", share, "global")
            await order(scene, "default", version, before, after)
            before = after
            await asyncio.sleep(1)  # so long a step lasts
        await asyncio.gather(*(one.until(lambda one: one.door.language == "v3" and one.is_in) for one in moving))
        await scene.all_hear()
        await scene.presence_is_whole()

    async def the_last_word_is_true() -> bool:
        return [(one, other) for one in scene.members for other in moving if last_word(one, other) == "LEAVE"] == []

    async with scene.law("the last word is true"):
        await eventually(the_last_word_is_true)
    async with scene.law("nothing told"):
        assert [one.book for one in moving if one.book.told] == []


def last_word(witness: Member, other: Member) -> str:
    """The last event that a member has heard about another."""
    return next((event for event, name in reversed(witness.presence) if name == other.book.name), "")
