"""Memory follows what is open: a connection that is gone leaves nothing behind, and no collector is needed for it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import with_key
from tests.end_to_end.raw import raw_socket
from tests.hostile.attackers import TookMore
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked

MIB = 1024 * 1024
AT_ONCE, ROUNDS, FIRST_ROUNDS = 50, 28, 8
MOST_MEMORY = 1 * MIB
WAVE, MOST_LEFT, LOOK_SECONDS = 900, 4 * MIB, 0.5


async def come_and_go(bridge: Attacked, number: int) -> None:
    async with raw_socket(bridge) as raw:
        await raw.upgrade(v3_path("passing", f"by{number}", with_key("rowdy")))
        await raw.receive()


async def leave_nothing_behind(bridge: Attacked) -> None:
    """The first rounds are the process's own: it learns what it needs."""
    before = 0
    for turn in range(ROUNDS):
        await asyncio.gather(*(come_and_go(bridge, number) for number in range(AT_ONCE)))
        if turn < FIRST_ROUNDS:
            before = bridge.resident_bytes
        elif (more := bridge.resident_bytes - before) > MOST_MEMORY:
            raise TookMore(f"{more // 1024} KiB for {(turn + 1 - FIRST_ROUNDS) * AT_ONCE} connections")


async def test_connections_that_are_gone_take_no_memory(attacked: StartAttacked) -> None:
    await leave_nothing_behind(attacked(config=WITH_EVENTS))


async def test_where_each_is_part_of_a_cycle_they_do(attacked: StartAttacked) -> None:
    bridge = attacked(config=WITH_EVENTS, without="no cycles")
    with pytest.raises(TookMore):
        await leave_nothing_behind(bridge)


async def come_all_at_once(bridge: Attacked) -> None:
    """All of them are there before the first one goes."""
    async with AsyncExitStack() as wave:
        for number in range(WAVE):
            raw = await wave.enter_async_context(raw_socket(bridge))
            await raw.upgrade(v3_path("passing", f"by{number}", with_key("rowdy")))


async def see_it_come_back(bridge: Attacked, within_seconds: float) -> None:
    """From the outside, and without a word to it."""
    await come_and_go(bridge, 0)
    before = bridge.resident_bytes
    await come_all_at_once(bridge)
    for _ in range(round(within_seconds / LOOK_SECONDS)):
        if bridge.resident_bytes - before < MOST_LEFT:
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise TookMore(f"{(bridge.resident_bytes - before) // 1024} KiB after {WAVE} connections at once")


async def test_what_a_wave_of_connections_took_comes_back(attacked: StartAttacked) -> None:
    await see_it_come_back(attacked(config=WITH_EVENTS), 60)


async def test_where_nothing_gives_back_it_stays(attacked: StartAttacked) -> None:
    bridge = attacked(config=WITH_EVENTS, without="giving back")
    with pytest.raises(TookMore):
        await see_it_come_back(bridge, 12)


WITH_EVENTS = CONFIG.replace("presence_events_members = 0", "presence_events_members = 200")
"""Each hears that it joined: then it is a connection."""
