"""Faults of the clients: they break off, stay away for long, never read, are dead, or come all at once."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.end_to_end.clients import v3_path
from tests.end_to_end.raw import raw_websocket
from tests.faults.doors import Door
from tests.faults.members import break_off
from tests.faults.population import FEW, Population
from tests.faults.scene import Scene, Staged, row

TALKS, BREAKS = 20, 60
PAUSE_SECONDS = 0.05
DEAD_SECONDS = 9.0
"""With pings after 2 s and 2 s in place of 20 s: then 45 s."""
CROWD = 2_000
ADDRESSES = 200
"""Of the crowd: what is done for one of them has a bound."""
STORM_SECONDS = 30.0


@row(without="narrow channels", breaks="doubled")
async def test_nothing_is_amiss(scene: Scene) -> None:
    """Nobody misses anything, or is told that it may have."""
    async with scene.population.talking():
        for _ in range(TALKS):
            await scene.all_hear()
    async with scene.law("nothing told"):
        assert scene.population.everything_was_heard()


@row(without="positions", breaks="doubled")
async def test_clients_break_off_and_come_back(scene: Scene) -> None:
    """Who speaks V3 is cut off without a word, who speaks V2 says goodbye."""
    chance = random.Random(3)
    stable = scene.population.speakers
    breaking = [one for one in scene.members if one not in stable]
    async with scene.population.talking():
        for _ in range(scene.times(BREAKS)):
            await break_off(chance.choice(breaking))
            await asyncio.sleep(PAUSE_SECONDS)
        await scene.population.all_in()
    assert sum(bool(one.book.promises) for one in breaking) > scene.times(BREAKS) // 10


@row(without="proof", breaks="promised", staged=Staged("history_messages = 10\nmessages_per_second = 0\n", members=FEW))
async def test_clients_stay_away_for_longer_than_is_kept(scene: Scene) -> None:
    """They are told that it is not complete, and get nothing of it."""
    speaker, *leaving = scene.population.by_door("v3")[1:]
    await scene.all_hear()
    await scene.population.leave(leaving)
    for _ in range(300):
        await scene.population.say(speaker, ("group", speaker.book.group))
    await scene.all_hear()
    await scene.population.come(leaving)
    await scene.all_hear()


@row(without="pings", breaks="gone", staged=Staged(members=FEW, haste="short pings"))
async def test_a_client_is_dead(scene: Scene) -> None:
    """It takes what it is sent, as the kernel of a program that was stopped, and answers nothing."""
    async with raw_websocket(scene.bridges[0], v3_path("talk", "dead")):
        witness = scene.population.by_door("v3")[0]
        async with scene.law("gone", DEAD_SECONDS):
            await witness.until(lambda one: ("LEAVE", "dead") in one.presence)


@pytest.mark.alone
@row(without="room", breaks="all are in", settings="max_connections = 100\n", staged=Staged(members=FEW))
async def test_two_thousand_come_back_at_once(scene: Scene) -> None:
    """Each with a cursor, and each hears what it missed."""
    first = scene.population.by_door("v3")[0]
    await scene.all_hear()
    cursor = await first.ask_cursor()
    crowd = Population(
        scene.bridges, {Door("v3", "websocket"): scene.times(CROWD)}, scene.population.sayings, surname="-of-many"
    )
    for number, member in enumerate(crowd.members):
        member.address = f"127.0.1.{1 + number % ADDRESSES}"
        member.resume(cursor)
    await scene.all_hear()
    scene.populations.append(crowd)
    async with scene.law("all are in", STORM_SECONDS):
        await crowd.come()
    async with scene.law("told when to come back"):
        assert [denied for member in crowd.members for denied in member.denials if not denied.retry_after] == []
    await crowd.all_hear(crowd.speakers[0])
