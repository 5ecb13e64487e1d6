"""Faults of the links between processes and Redis: killed, reset, slow, in pieces, swallowed, cut off for lagging."""

from __future__ import annotations

import asyncio

from tests.faults.population import FEW
from tests.faults.scene import BACK_SECONDS, TOLD_SECONDS, Scene, Staged, row
from tests.proxy import Direction

KILLS, RESETS = 100, 10
STABLE_SECONDS = 0.11
NOTICED_SECONDS = 10.0
HEARD_SECONDS = 30.0
"""Patience and no promise: a bad network takes its time. On an idle machine half of the second."""
LARGE_OUTBOX = "outbox_bytes = 1_073_741_824\n"
"""What the kernel holds when Redis cuts off comes all at once, and must make nobody a slow consumer."""


@row(without="announcement", breaks="unannounced", staged=Staged(members=FEW))
async def test_subscriptions_are_killed(scene: Scene) -> None:
    async with scene.population.talking():
        for number in range(scene.times(KILLS)):
            await scene.ask_redis("CLIENT", "KILL", "TYPE", "pubsub")
            async with scene.law("back", BACK_SECONDS):
                if number % 20 == 0:
                    await scene.all_hear()
                while await scene.subscribers() < 2:
                    pass
            await asyncio.sleep(STABLE_SECONDS)  # a link that lived no longer is made anew only after a pause
    if scene.is_defended:
        assert await scene.metric(0, "bridge_repairs_total") + await scene.metric(0, "bridge_gaps_total") > 0


@row(without="refusals", breaks="unannounced")
async def test_links_that_publish_are_killed(scene: Scene) -> None:
    async with scene.population.talking():
        for _ in range(scene.times(RESETS)):
            await scene.ask_redis("CLIENT", "KILL", "TYPE", "normal")
            async with scene.law("back", BACK_SECONDS):
                await scene.all_hear()


@row(without="announcement", breaks="unannounced", staged=Staged(proxied=True))
async def test_all_links_are_reset(scene: Scene) -> None:
    async with scene.population.talking():
        for number in range(scene.times(RESETS)):
            scene.proxies[number % 2].reset()
            async with scene.law("back", BACK_SECONDS):
                await scene.all_hear()


def directions(scene: Scene) -> list[Direction]:
    return [way for proxy in scene.proxies for way in (proxy.up, proxy.down)]


@row(without="reading in pieces", breaks="heard", staged=Staged(proxied=True, members=FEW))
async def test_what_passes_comes_in_pieces_of_a_few_bytes(scene: Scene) -> None:
    for way in directions(scene):
        way.in_slices = True
    await talk_slowly(scene)


@row(without="patience with pings", breaks="heard", staged=Staged(proxied=True, members=FEW))
async def test_what_passes_comes_late(scene: Scene) -> None:
    for way in directions(scene):
        way.delay_seconds = 0.2
    await talk_slowly(scene)


async def talk_slowly(scene: Scene) -> None:
    """A bad network is asked for no more than it carries."""
    scene.population.a_second = 1
    async with scene.population.talking(), scene.law("heard", HEARD_SECONDS):
        for _ in range(3):
            await scene.all_hear()
    for way in directions(scene):
        way.in_slices, way.delay_seconds = False, 0.0


@row(without="deadline of pings", breaks="noticed", staged=Staged(proxied=True))
async def test_a_black_hole_is_before_one_process(scene: Scene) -> None:
    """It alone notices; its clients learn from when to when, or miss nothing."""
    inside, outside = scene.population.by_door("v3")[:2]
    async with scene.population.talking():
        await scene.all_hear()
        scene.proxies[0].swallow()
        async with scene.law("told", TOLD_SECONDS):
            await scene.is_told(inside)
        async with scene.law("noticed", NOTICED_SECONDS):
            await scene.until_metric(0, "bridge_subscriber_up", 0)
        scene.proxies[0].up.swallows = scene.proxies[0].down.swallows = False
        await scene.all_hear()
    async with scene.law("others are not concerned"):
        assert outside.book.told == []
        assert await scene.metric(1, "bridge_redis_reconnects_total") == 0


@row(without="announcement", breaks="unannounced", staged=Staged(LARGE_OUTBOX, members=FEW))
async def test_redis_cuts_off_a_process_that_lags(scene: Scene) -> None:
    await be_cut_off(scene)
    if scene.is_defended:
        assert await scene.metric(0, "bridge_repairs_total") + await scene.metric(0, "bridge_gaps_total") > 0


@row(without="certainty", breaks="unannounced", staged=Staged(LARGE_OUTBOX + "history_seconds = 0\n", members=FEW))
async def test_redis_cuts_off_a_process_that_stood_still_and_nothing_is_kept(scene: Scene) -> None:
    """B14: what it is told begins with the last moment of which it is certain that all was heard."""
    await be_cut_off(scene, 3)
    async with scene.law("told"):
        assert all(member.book.told for member in scene.of_process(0))


async def be_cut_off(scene: Scene, more_seconds: float = 0) -> None:
    """The first process stands still until Redis has no more room for what it does not read, and for some seconds."""
    await scene.ask_redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 128kb 1")
    speaker = scene.population.by_door("v3")[1]
    async with scene.population.talking(scene.of_process(1)):
        await scene.all_hear()
        scene.bridges[0].freeze()
        listening = await scene.subscribers()
        while await scene.subscribers() == listening:  # however much the kernel holds
            await scene.population.say(speaker, ("group", speaker.book.group), "x" * 50_000)
        await asyncio.sleep(more_seconds)
        scene.bridges[0].thaw()
        await scene.all_hear()


@row(without="end of the link before", breaks="shuffled", staged=Staged(is_held_up=True))
async def test_a_black_hole_that_gives_back_what_it_swallowed(scene: Scene) -> None:
    """B15: what was refused is not said after all, behind what was said later."""
    inside, standing = scene.population.by_door("v3")[0], scene.standing
    assert standing is not None
    async with scene.population.talking():
        await scene.all_hear()
        standing.stop()
        async with scene.law("told", TOLD_SECONDS):
            await scene.is_told(inside)
        await scene.population.all_hear(inside, ("group", inside.book.group))
        standing.go_on()
        await scene.all_hear()
        await asyncio.sleep(1)  # so long it would take to come
