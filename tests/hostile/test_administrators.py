"""What the administrator of one tenant may do: much, and nothing that another tenant, or the platform, notices."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from tests.end_to_end.configuration import api_key, key
from tests.end_to_end.raw import raw_socket, request
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import Victims, victims

IDS = 100_000
MESSAGES_MEANWHILE = 20
STREAMS = 64


def admin(name: str, tenant: str) -> str:
    """The key of an administrator."""
    return key(name, tenant).replace("broadcast", "admin = true\nbroadcast")


ADMINISTERED = CONFIG + admin("chief", "rowdy") + admin("boss", "*")


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key(name)}"}


async def talks_on(talking: Victims, until: asyncio.Future[httpx.Response]) -> int:
    """How many messages are heard until it is done."""
    before = talking.heard
    while not until.done():
        await talking.talk(1, 0)
    return talking.heard - before


async def test_a_large_id_map_is_read_while_others_talk(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED)
    ids = {f"user-{number}": f"Person_{number}" for number in range(IDS)}
    async with victims(bridge) as talking, httpx.AsyncClient(base_url=bridge.url, timeout=50) as api:
        put = asyncio.ensure_future(api.put("/admin/api/tenants/rowdy/ids", json={"ids": ids}, headers=bearer("chief")))
        assert await talks_on(talking, put) > MESSAGES_MEANWHILE
        assert put.result().status_code == 200


async def stream(bridge: Attacked, name: str, ends: contextlib.AsyncExitStack) -> int:
    """The status with which an event stream begins, which is never read."""
    raw = await ends.enter_async_context(raw_socket(bridge))
    await raw.send(request("/admin/api/events", {"Host": "a"} | bearer(name)))
    return int((await raw.some()).split()[1])


async def test_the_streams_of_one_key_are_not_all_there_are(attacked: StartAttacked) -> None:
    bridge = attacked(config=ADMINISTERED)
    async with contextlib.AsyncExitStack() as ends:
        for _ in range(STREAMS):
            await stream(bridge, "chief", ends)
        assert await stream(bridge, "boss", ends) == 200
