"""The admin API on two running bridges: one carries orders out, both obey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import api_key, key, with_key
from tests.servers import BridgeProcess

OBEYED_SECONDS = 2.5
CONFIG = (
    "[tenants.acme]\nsunset = 2027-06-30\n[tenants.other]\n"
    + key("clerk", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    + key("chief", "acme").replace("broadcast", "admin = true\nbroadcast")
)


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge(config=CONFIG) for _ in range(2)]


@pytest.fixture
async def http(bridges: list[BridgeProcess]) -> AsyncIterator[httpx.AsyncClient]:
    """The API of the first bridge for an administrator of all tenants; after the test `acme` is as it was."""
    async with administrator(bridges[0], "boss") as api:
        yield api
        await api.put("/tenants/acme/stage", json={"stage": "bridge", "share": 0, "v2_routing": "global"})
        await api.put("/tenants/acme/ids", json={"ids": {}})


def administrator(bridge: BridgeProcess, name: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {api_key(name)}"}
    return httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers=headers)


async def state(http: httpx.AsyncClient, tenant: str = "acme") -> dict[str, Any]:
    answer = await http.get(f"/tenants/{tenant}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer", 401),
        ("Bearer nobody", 401),
        (f"Basic {api_key('boss')}", 401),
        (f"Bearer {api_key('clerk')}", 403),
        (f"bearer {api_key('boss')}", 200),
    ],
)
async def test_only_an_admin_key_opens_it(bridges: list[BridgeProcess], header: str | None, status: int) -> None:
    async with httpx.AsyncClient() as http:
        headers = {} if header is None else {"Authorization": header}
        answer = await http.get(f"{bridges[0].url}/admin/api/tenants", headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["msg"]


async def test_an_administrator_sees_the_tenants_of_the_key_alone(bridges: list[BridgeProcess]) -> None:
    async with administrator(bridges[0], "boss") as boss, administrator(bridges[0], "chief") as chief:
        assert [one["tenant"] for one in (await boss.get("/tenants")).json()] == ["acme", "other"]
        assert [one["tenant"] for one in (await chief.get("/tenants")).json()] == ["acme"]
        assert (await chief.get("/tenants/other")).status_code == 404
        assert (await chief.put("/tenants/other/stage", json={"stage": "v3"})).status_code == 404


async def test_a_tenant_says_where_it_stands_and_who_is_connected_anywhere(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    query = with_key("clerk")
    async with (
        client(bridges[0], f"/ws/client/42?{query}"),
        client(bridges[1], v3_path("g", "ann", query)),
        client(bridges[1], v3_path("g", "bob", query)),
    ):

        async def counted() -> bool:
            connections: dict[str, int] = (await state(http))["connections"]
            return connections == {"v2": 1, "v3": 2, "socketio": 0}

        await eventually(counted)
        found = await state(http)
        assert (found["stage"], found["share"], found["v2_routing"], found["sunset"]) == (
            "bridge",
            0,
            "global",
            "2027-06-30",
        )


async def test_a_change_is_obeyed_by_every_process_and_taken_back(
    bridges: list[BridgeProcess], http: httpx.AsyncClient
) -> None:
    async with client(bridges[1], f"/ws/client/42?{with_key('clerk')}") as old:
        answer = await http.put("/tenants/acme/stage", json={"stage": "v3", "why": "the day has come"})
        assert answer.status_code == 200
        assert answer.json()["stage"] == "v3"
        assert await old.close_code(OBEYED_SECONDS) == 4410
    version = answer.json()["version"]
    undone = await http.post("/tenants/acme/rollback", json={"why": "not for everyone"})
    assert (undone.json()["stage"], undone.json()["version"]) == ("bridge", version + 1)
    newest, before = (await http.get("/tenants/acme/changes")).json()[:2]
    assert (before["who"], before["from"], before["to"], before["why"]) == ("boss", "bridge", "v3", "the day has come")
    assert (newest["rolls_back"], newest["to"], newest["why"]) == (version, "bridge", "not for everyone")


async def test_a_stale_version_changes_nothing(http: httpx.AsyncClient) -> None:
    version = (await state(http))["version"]
    assert (await http.put("/tenants/acme/stage", json={"share": 5, "version": version})).status_code == 200
    answer = await http.put("/tenants/acme/stage", json={"share": 9, "version": version})
    assert (answer.status_code, answer.json()["version"]) == (409, version + 1)
    assert (await state(http))["share"] == 5


async def test_of_two_changes_at_once_one_is_made(bridges: list[BridgeProcess], http: httpx.AsyncClient) -> None:
    version = (await state(http))["version"]
    async with administrator(bridges[1], "boss") as second:
        answers = await asyncio.gather(
            *(api.put("/tenants/acme/stage", json={"share": 7, "version": version}) for api in (http, second))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize("body", [{"stage": "v4"}, {"share": 101}, {"v2_routing": "all"}, {"unknown": 1}, []])
async def test_an_order_that_makes_no_sense_is_refused(http: httpx.AsyncClient, body: Any) -> None:
    assert (await http.put("/tenants/acme/stage", json=body)).status_code == 422


async def test_there_is_nothing_to_take_back_where_nothing_was_done(http: httpx.AsyncClient) -> None:
    answer = await http.post("/tenants/other/rollback")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_roll_back")


async def test_an_id_map_is_replaced_whole_or_not_at_all(bridges: list[BridgeProcess], http: httpx.AsyncClient) -> None:
    answer = await http.put("/tenants/acme/ids", json={"ids": {"42": "Xk3dQ", "43": "Yk3dQ"}})
    assert (answer.status_code, answer.json()["added"]) == (200, 2)
    assert (await state(http))["ids"] == 2
    refused = await http.put("/tenants/acme/ids", json={"ids": {"42": "Xk3dQ", "43": "Xk3dQ"}})
    assert refused.status_code == 400
    assert "one name, one person" in refused.json()["msg"]
    assert (await state(http))["ids"] == 2


async def test_while_redis_is_away_the_answer_says_so(bridge: StartBridge, redis_server: StartRedis) -> None:
    redis = redis_server()
    running = bridge(config=CONFIG, redis=redis.url)
    await asyncio.to_thread(redis.kill)
    async with administrator(running, "boss") as http:
        answer = await http.get("/tenants", timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (503, "bus_down")


async def test_an_id_map_in_which_a_key_stands_twice_is_refused(http: httpx.AsyncClient) -> None:
    body = '{"ids":{"1":"First","1":"Second"}}'
    answer = await http.put("/tenants/acme/ids", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_ids")
    assert (await state(http))["ids"] == 0
