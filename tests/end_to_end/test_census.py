"""Who is still on V2, as two processes saw it together; and what was acknowledged outlives a Redis that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess

CONFIG = (
    QUIET + "[tenants.acme]\n" + key("clerk", "acme") + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
QUERY = with_key("clerk")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@asynccontextmanager
async def asking(bridge: BridgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api/tenants", headers=headers) as http:
        yield http


def old_client(bridge: BridgeProcess, path: str, user_agent: str = "kiosk/1") -> Any:
    return client(bridge, f"/ws{path}?{QUERY}", headers={"User-Agent": user_agent})


async def census(http: httpx.AsyncClient, protocol: str = "v2") -> list[dict[str, Any]]:
    answer = await http.get(f"/acme/census?protocol={protocol}")
    found: list[dict[str, Any]] = answer.json()["clients"] if answer.status_code == 200 else []
    return found


def messages(clients: list[dict[str, Any]]) -> dict[tuple[str | None, str, str], int]:
    """By client id, group and user agent."""
    return {(one["client_id"], one["group_id"], one["user_agent"]): one["messages"] for one in clients}


async def until_it_says(http: httpx.AsyncClient, expected: dict[Any, int]) -> None:
    async def does() -> bool:
        return messages(await census(http)) == expected

    await eventually(does)


async def say(speaker: Client, times: int) -> None:
    """It has heard itself when this returns."""
    for number in range(times):
        assert await speaker.ask({"msg": f"number {number}"}) == {"msg": f"number {number}"}


async def test_the_census_says_who_is_on_v2_where_since_when_and_how_much_each_said(bridge: StartBridge) -> None:
    bridges = [bridge(config=CONFIG) for _ in range(2)]
    begun = datetime.now(UTC) - timedelta(milliseconds=1)
    async with asking(bridges[0]) as first, asking(bridges[1]) as second:
        async with old_client(bridges[0], "/group/team/client/42") as named:
            await say(named, 3)
        async with old_client(bridges[1], "/group/team/client/42") as again:
            await say(again, 2)
        async with (
            old_client(bridges[1], "/a%20b", "phone/2") as spaced,
            client(bridges[0], v3_path("team", "ann", QUERY)),
        ):
            await say(spaced, 1)
        async with old_client(bridges[0], "/group/team", "panel/3") as unnamed:
            await say(unnamed, 1)
        async with old_client(bridges[1], "/group/team", "panel/3") as unnamed:
            await say(unnamed, 1)
        expected = {
            ("42", "team", "kiosk/1"): 5,
            ("a b", "lobby", "phone/2"): 1,
            (None, "team", "panel/3"): 2,
        }
        await until_it_says(first, expected)
        found = await census(second)
        assert messages(found) == expected
        times = [(moment(one["first_seen"]), moment(one["last_seen"])) for one in found]
        assert all(begun <= since <= until <= datetime.now(UTC) for since, until in times)
        assert [one["last_seen"] for one in found] == sorted((one["last_seen"] for one in found), reverse=True)
        assert {one["bucket"] for one in found if one["client_id"] in ("42", None)} == {88.52, 99.99}
        assert [(one["client_id"], one["protocol"]) for one in await census(second, "v3")] == [("ann", "v3")]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_what_is_in_the_census_outlives_a_redis_that_is_killed_and_comes_back_with_its_data(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server(*DURABLE)
    running = bridge(config=CONFIG, redis=redis.url)
    async with asking(running) as http, old_client(running, "/group/team/client/42") as old:
        await say(old, 5)
        assert (await http.put("/acme/stage", json={"v2_routing": "group", "why": "a rehearsal"})).status_code == 200
        await until_it_says(http, {("42", "team", "kiosk/1"): 5})
        (before,) = await census(http)
        kept = (await http.get("/acme/changes")).json()
        redis.kill()
        await asyncio.to_thread(redis.start)
        await asyncio.to_thread(running.wait_until_ready)
        (after,) = await census(http)
        assert (after["first_seen"], after["messages"]) == (before["first_seen"], 5)
        assert after["last_seen"] >= before["last_seen"]
        assert [change["why"] for change in kept] == ["a rehearsal"]
        assert (await http.get("/acme/changes")).json() == kept
        await old.say({"msg": "and on"})
        await until_it_says(http, {("42", "team", "kiosk/1"): 6})
        assert (await http.get("/acme")).json()["lost_at"] is None


async def test_a_census_is_the_tenants_and_not_the_process_that_saw_it(bridge: StartBridge) -> None:
    first = bridge(config=CONFIG)
    async with old_client(first, "/42") as old:
        await say(old, 2)
    assert await asyncio.to_thread(first.terminate) == 0
    async with asking(bridge(config=CONFIG)) as http:
        assert messages(await census(http)) == {("42", "lobby", "kiosk/1"): 2}
        (known,) = await census(http)
        assert moment(known["last_seen"]) < datetime.now(UTC)
