"""What the administrator of one tenant may do: much, and nothing that another tenant, or the platform, notices."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from tests.end_to_end.configuration import api_key, key
from tests.end_to_end.raw import raw_socket, request
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import Victims, victims

IDS = 100_000
MAP = "/admin/api/tenants/rowdy/ids"
MOST_SILENCE = 0.1
STREAMS = 64


def admin(name: str, tenant: str) -> str:
    """The key of an administrator."""
    return key(name, tenant).replace("broadcast", "admin = true\nbroadcast")


ADMINISTERED = CONFIG + admin("chief", "rowdy") + admin("boss", "*")


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key(name)}"}


async def dearest_silence(bridge: Attacked, talking: Victims, until: asyncio.Future[httpx.Response]) -> float:
    """Of all that the process works until it is done: the largest part in which nobody heard anything."""
    parts = []
    while not until.done():
        before = bridge.cpu_seconds
        await talking.talk(1, 0)
        parts.append(bridge.cpu_seconds - before)
    return max(parts) / sum(parts)


async def others_talk_while_a_map_is_read(bridge: Attacked) -> None:
    ids = {f"user-{number}": f"Person_{number}" for number in range(IDS)}
    async with victims(bridge) as talking, httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        put = asyncio.ensure_future(api.put(MAP, json={"ids": ids}, headers=bearer("chief")))
        silence = await dearest_silence(bridge, talking, put)
        assert put.result().status_code == 200
        assert silence < MOST_SILENCE


async def test_a_large_id_map_is_read_while_others_talk(attacked: StartAttacked) -> None:
    await others_talk_while_a_map_is_read(attacked(config=ADMINISTERED))


async def test_where_it_is_read_in_one_go_they_wait_for_it(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="reading aside")
    with pytest.raises(AssertionError, match="<"):
        await others_talk_while_a_map_is_read(bridge)


async def a_map_has_a_bound(bridge: Attacked) -> None:
    ids = {str(number): f"P{number}" for number in range(IDS + 1)}
    async with httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        answer = await api.put(MAP, json={"ids": ids}, headers=bearer("chief"))
    assert answer.status_code == 413


async def test_an_id_map_has_a_bound(attacked: StartAttacked) -> None:
    await a_map_has_a_bound(attacked(config=ADMINISTERED))


async def test_where_it_has_none_any_map_is_taken(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="bound of id maps")
    with pytest.raises(AssertionError, match="200"):
        await a_map_has_a_bound(bridge)


async def stream(bridge: Attacked, name: str, ends: contextlib.AsyncExitStack) -> int:
    """The status with which an event stream begins, which is never read."""
    raw = await ends.enter_async_context(raw_socket(bridge))
    await raw.send(request("/admin/api/events", {"Host": "a"} | bearer(name)))
    return int((await raw.some()).split()[1])


async def a_platforms_key_finds_a_stream(bridge: Attacked) -> None:
    async with contextlib.AsyncExitStack() as ends:
        for _ in range(STREAMS):
            await stream(bridge, "chief", ends)
        assert await stream(bridge, "boss", ends) == 200


async def test_the_streams_of_one_key_are_not_all_there_are(attacked: StartAttacked) -> None:
    await a_platforms_key_finds_a_stream(attacked(config=ADMINISTERED))


async def test_where_a_key_may_take_them_all_they_are(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED, without="streams of a key")
    with pytest.raises(AssertionError, match="503"):
        await a_platforms_key_finds_a_stream(bridge)
