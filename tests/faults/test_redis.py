"""Faults of Redis itself: crashed, frozen, flushed, full, read-only, without room for links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.members import Member
from tests.faults.scene import BACK_SECONDS, TOLD_SECONDS, Scene, Staged, row
from tests.stopwatch import Stopwatch

FROZEN_SECONDS = 6.0
"""Longer than it takes to notice: 4 s."""


def those_who_leave(scene: Scene) -> list[Member]:
    """Some of V3, who come back with what they heard last."""
    return scene.population.by_door("v3")[4:8]


@asynccontextmanager
async def away(scene: Scene) -> AsyncIterator[None]:
    """Some are away meanwhile, and miss what is said before and after."""
    leaving = those_who_leave(scene)
    await scene.population.leave(leaving)
    await scene.all_hear()
    yield
    await scene.population.come(leaving)


async def nobody_was_closed(scene: Scene) -> None:
    async with scene.law("sockets stay open"):
        stayed = [member for member in scene.members if member not in those_who_leave(scene)]
        assert [member.book.name for member in stayed if member.book.codes] == []


@pytest.mark.alone
@pytest.mark.parametrize("seconds", [1, 8])
@row(without="proof", breaks="promised", staged=Staged(haste="short leases"))
async def test_redis_crashes_and_comes_back_empty(scene: Scene, seconds: float) -> None:
    """Also for longer than leases last."""
    speaker = scene.population.speakers[0]
    async with scene.population.talking():
        async with away(scene):
            await asyncio.to_thread(scene.redis.kill)
            async with scene.law("told", TOLD_SECONDS):
                await scene.is_told(speaker)
            await asyncio.sleep(seconds if scene.is_defended else 1)  # so long it is away
            await asyncio.to_thread(scene.redis.start)
            async with scene.law("back", BACK_SECONDS):
                await scene.all_hear()
        await scene.presence_is_whole()
    await nobody_was_closed(scene)


@row(without="deadline of answers", breaks="told")
async def test_redis_stands_still(scene: Scene) -> None:
    async with scene.population.talking():
        await scene.all_hear()
        scene.redis.freeze()
        stopwatch = Stopwatch()
        async with scene.law("told", TOLD_SECONDS):
            await asyncio.gather(*(scene.is_told(speaker) for speaker in scene.population.by_door("v3")[:2]))
        async with scene.law("the loops live", TOLD_SECONDS):
            assert [await scene.readiness(process) for process in (0, 1)] == [503, 503]
        await asyncio.sleep(max(0.0, FROZEN_SECONDS - stopwatch.all_seconds))  # so long it stands still
        scene.redis.thaw()
        async with scene.law("back", BACK_SECONDS):
            await scene.all_hear()
        await scene.presence_is_whole()
    await nobody_was_closed(scene)


@row()
async def test_redis_is_flushed(scene: Scene) -> None:
    async with scene.population.talking():
        async with away(scene):
            await scene.ask_redis("FLUSHALL")
            async with scene.law("back", BACK_SECONDS):
                await scene.all_hear()
        await scene.presence_is_whole()
    await nobody_was_closed(scene)


REFUSALS = {
    "read only": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
    "full": (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0)),
    "not permitted": (("ACL", "SETUSER", "default", "-evalsha"), ("ACL", "SETUSER", "default", "+evalsha")),
}


@pytest.mark.parametrize("how", REFUSALS)
@row(without="refusals", breaks="told")
async def test_redis_refuses(scene: Scene, how: str) -> None:
    breaks, mends = REFUSALS[how]
    async with scene.population.talking():
        await scene.all_hear()
        await scene.ask_redis(*breaks)
        await is_refused_until(scene, *mends)


@row(without="refusals", breaks="told")
async def test_redis_has_no_room_for_links(scene: Scene) -> None:
    async with scene.population.talking():
        await scene.all_hear()
        await scene.ask_redis("CONFIG", "SET", "maxclients", 1)
        for kind in ("normal", "pubsub"):
            await scene.ask_redis("CLIENT", "KILL", "TYPE", kind)
        await is_refused_until(scene, "CONFIG", "SET", "maxclients", 10_000)


async def is_refused_until(scene: Scene, *mends: str | int) -> None:
    """Speakers are told, and whoever asks whether the processes are ready; until it is mended."""
    async with scene.law("told", TOLD_SECONDS):
        await asyncio.gather(*(scene.is_told(speaker) for speaker in scene.population.by_door("v3")[:2]))
    async with scene.law("not ready"):
        await scene.until_ready(503)
    await scene.ask_redis(*mends)
    await scene.until_ready()
    await scene.all_hear()
    await nobody_was_closed(scene)
