"""What there is but once: connections, and memory for what is said to those who do not read. A tenant has its share."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import UNHURRIED, api_key, with_key
from tests.end_to_end.test_ends import never_reading
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims

FEW_PLACES = f"max_connections = 20\n{CONFIG}"
PLACES = 20

SUM_BYTES = 4_194_304
SMALL_SUM = f"outbox_bytes = 8_388_608\noutboxes_bytes = {SUM_BYTES}\n{UNHURRIED}{CONFIG}"
LISTENERS = 12
MESSAGES, MESSAGE_BYTES = 40, 60_000
FEW = 4


async def the_last_places_are_for_others(bridge: Attacked) -> None:
    async with contextlib.AsyncExitStack() as ends:
        for number in range(PLACES):
            path = v3_path("noise", f"r{number}", with_key("rowdy"))
            with contextlib.suppress(InvalidStatus):
                await ends.enter_async_context(client(bridge, path))
        async with victims(bridge) as talking:
            await talking.talk(1, 0)


async def test_a_tenant_that_takes_all_it_gets_leaves_room_for_others(attacked: StartAttacked) -> None:
    await the_last_places_are_for_others(attacked(config=FEW_PLACES))


async def test_where_nobody_has_a_share_it_does_not(attacked: StartAttacked) -> None:
    bridge = attacked(config=FEW_PLACES, without="shares")
    with pytest.raises(InvalidStatus):
        await the_last_places_are_for_others(bridge)


@contextlib.asynccontextmanager
async def many_who_never_read(bridge: Attacked) -> AsyncIterator[None]:
    """None has more than may wait for one, and all together are told ten times what may wait for all."""
    async with victims(bridge) as talking, client(bridge, v3_path("noise", "rowdy", with_key("rowdy"))) as rowdy:
        paths = [v3_path("noise", f"deaf{number}", with_key("rowdy")) for number in range(LISTENERS)]
        deaf = [await never_reading(bridge, path) for path in paths]
        try:
            for _ in range(MESSAGES):
                await rowdy.say({"msg_type": "msg", "target": "group", "msg": "x" * MESSAGE_BYTES})
            await talking.talk(5, 0)
            yield
        finally:
            close(deaf)


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


async def few_are_left(bridge: Attacked) -> bool:
    async with httpx.AsyncClient(base_url=bridge.url, headers={"X-Api-Key": api_key("rowdy")}) as api:
        answer = await api.get("/v3/presence/group/noise")
        await asyncio.sleep(0.05)
        return len(answer.json()["members"]) <= FEW


async def more_waits_than_may(bridge: Attacked) -> bool:
    async with httpx.AsyncClient(base_url=bridge.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return any(float(line.split()[1]) > 3 * SUM_BYTES for line in lines if line.startswith("bridge_outboxes_waiting"))


async def test_those_who_do_not_read_are_cut_before_they_fill_the_memory(attacked: StartAttacked) -> None:
    bridge = attacked(config=SMALL_SUM)
    async with many_who_never_read(bridge):
        await eventually(lambda: few_are_left(bridge))


async def test_where_each_has_but_a_bound_of_its_own_they_are_not(attacked: StartAttacked) -> None:
    bridge = attacked(config=SMALL_SUM, without="sum of outboxes")
    async with many_who_never_read(bridge):
        await eventually(lambda: more_waits_than_may(bridge))
        assert not await few_are_left(bridge)
