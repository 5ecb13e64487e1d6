"""Keys that live in Redis: they work and end on every process, whoever made or revoked them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from tests.bridge.cli.running import run, sentence
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import client, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key
from tests.end_to_end.socketio_clients import v3_ids, visitor
from tests.servers import BridgeProcess

CONFIG = (
    QUIET
    + "[tenants.acme]\n[tenants.beta]\n"
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    + key("chief", "acme", broadcast="none").replace("broadcast", 'role = "admin"\nbroadcast')
    + key("viewer", "*").replace("broadcast", 'role = "viewer"\nbroadcast')
)
SOON_SECONDS = 2.0


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge("--socketio", config=CONFIG) for _ in range(2)]


def administrator(bridge: BridgeProcess, text: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
async def boss(bridges: list[BridgeProcess]) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(bridges[0], api_key("boss")) as http:
        yield http
        for one in (await http.get("/keys")).json():
            if one["where"] == "redis":
                await http.delete(f"/keys/{one['name']}")


async def make(http: httpx.AsyncClient, name: str, *tenants: str, **more: Any) -> dict[str, Any]:
    answer = await http.post("/keys", json={"name": name, "tenants": list(tenants), **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def admitted(bridge: BridgeProcess, text: str) -> None:
    """Return once the bridge lets in who has this key."""

    async def is_admitted() -> bool:
        async with httpx.AsyncClient(base_url=bridge.url) as http:
            answer = await http.get("/v3/presence/group/g?x_account_id=acme", headers={"X-Api-Key": text})
            return answer.status_code == 200

    await eventually(is_admitted)


async def test_a_new_key_works_everywhere_and_a_revoked_one_ends_its_connections(
    bridges: list[BridgeProcess], boss: httpx.AsyncClient
) -> None:
    made = await make(boss, "kiosk", "acme")
    text = made["key"]
    async with AsyncExitStack() as ends:
        open_ones = []
        for bridge in bridges:
            await admitted(bridge, text)
            for path in (v3_path("g", "ann", f"api_key={text}"), f"/ws/group/g/client/42?api_key={text}"):
                open_ones.append(await ends.enter_async_context(client(bridge, path)))
        io = await ends.enter_async_context(visitor(bridges[1], "/v3", "websocket", **v3_ids("io"), api_key=text))
        other = await ends.enter_async_context(client(bridges[1], v3_path("g", "b", f"api_key={api_key('chief')}")))
        assert (await boss.delete("/keys/kiosk")).status_code == 200
        assert await asyncio.gather(*(one.close_code(SOON_SECONDS) for one in open_ones)) == [4401] * 4
        assert (await io.hear())["payload"]["code"] == "unauthenticated"
        assert await other.is_served()
    for bridge in bridges:
        assert (await refused(bridge, v3_path("g", "ann", f"api_key={text}")))[1] == 4401
    for event in ("key_made", "key_revoked"):
        (line,) = (line for line in bridges[0].log.splitlines() if f'"event": "{event}"' in line and "kiosk" in line)
        assert json.loads(line)["who"] == "boss"
    assert text not in "".join(bridge.log for bridge in bridges)


async def test_the_list_tells_who_made_a_key_and_where_it_stands_and_not_the_key(boss: httpx.AsyncClient) -> None:
    made = await make(boss, "kiosk/1 ü", "acme", broadcast="none", role="viewer")
    listed = {one["name"]: one for one in (await boss.get("/keys")).json()}
    assert listed["kiosk/1 ü"] == {name: value for name, value in made.items() if name in listed["kiosk/1 ü"]}
    assert (listed["kiosk/1 ü"]["made_by"], listed["kiosk/1 ü"]["where"], listed["boss"]["where"]) == (
        "boss",
        "redis",
        "file",
    )
    assert made["key"] not in json.dumps(listed)
    assert (await boss.delete("/keys/kiosk%2F1%20%C3%BC")).json() == {"ok": True, "name": "kiosk/1 ü"}


async def test_names_are_there_once_in_file_and_redis_together(boss: httpx.AsyncClient) -> None:
    await make(boss, "kiosk", "acme")
    for name in ("kiosk", "boss"):
        answer = await boss.post("/keys", json={"name": name, "tenants": ["acme"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


async def test_a_key_of_the_file_is_revoked_there(boss: httpx.AsyncClient) -> None:
    answer = await boss.delete("/keys/viewer")
    assert (answer.status_code, answer.json()["code"]) == (409, "key_in_file")
    assert "file" in answer.json()["msg"]
    assert (await boss.delete("/keys/nobody")).json()["code"] == "unknown_key"


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "x"},
        {"name": "x", "tenants": []},
        {"name": "x", "tenants": ["a b"]},
        {"name": "a\nb", "tenants": ["acme"]},
        {"name": "x" * 129, "tenants": ["acme"]},
        {"name": "x", "tenants": ["acme"], "role": "king"},
        {"name": "x", "tenants": ["acme"], "broadcast": "world"},
        {"name": "x", "tenants": ["acme"], "sha256": "0" * 64},
    ],
)
async def test_keys_are_checked_as_strictly_as_in_the_file(boss: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    answer = await boss.post("/keys", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_order")


async def test_a_tenant_that_nobody_knows_is_named(boss: httpx.AsyncClient) -> None:
    assert (await make(boss, "kiosk", "acme", "acmee"))["unknown_tenants"] == ["acmee"]


async def test_a_tenants_administrator_keeps_to_its_tenants_and_its_grant(
    bridges: list[BridgeProcess], boss: httpx.AsyncClient
) -> None:
    await make(boss, "of beta", "beta")
    await make(boss, "of both", "acme", "beta")
    async with administrator(bridges[0], api_key("chief")) as chief:
        for tenants, broadcast in (
            (["beta"], "none"),
            (["acme", "beta"], "none"),
            (["*"], "none"),
            (["acme"], "tenant"),
        ):
            wanted = {"name": "x", "tenants": tenants, "broadcast": broadcast}
            answer = await chief.post("/keys", json=wanted)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), wanted
        await make(chief, "own", "acme", broadcast="none")
        assert [one["name"] for one in (await chief.get("/keys")).json()] == ["chief", "own"]
        for name in ("of beta", "of both", "boss"):
            assert (await chief.delete(f"/keys/{name}")).json()["code"] == "unknown_key"
        assert (await chief.delete("/keys/own")).status_code == 200


async def test_a_key_of_redis_has_its_role(bridges: list[BridgeProcess], boss: httpx.AsyncClient) -> None:
    texts = {
        role: (await make(boss, f"a {role}", "*", role=role))["key"] for role in ("none", "viewer", "operator", "admin")
    }
    statuses = {}
    for role, text in texts.items():
        async with administrator(bridges[0], text) as http:
            asked = [
                await http.get("/tenants"),
                await http.put("/tenants/acme/stage?dry_run=true", json={"stage": "bridge"}),
                await http.get("/keys"),
            ]
            statuses[role] = [answer.status_code for answer in asked]
    assert statuses == {
        "none": [403, 403, 403],
        "viewer": [200, 403, 403],
        "operator": [200, 200, 403],
        "admin": [200, 200, 200],
    }


async def test_the_command_line_makes_lists_and_revokes_too(
    bridges: list[BridgeProcess], boss: httpx.AsyncClient, redis_url: str, module_prefix: str
) -> None:
    at = {"BRIDGE_PREFIX": module_prefix, "BRIDGE_CONFIG": str(bridges[0].config_file)}

    async def keys(*arguments: str) -> Any:
        return await asyncio.to_thread(run, "keys", *arguments, "--redis", redis_url, environment=at)

    made = await keys("new", "--name", "from here", "--tenant", "acme", "--tenant", "acmee")
    (text,) = re.findall(r"aether_[A-Za-z0-9_-]{43}", made.stdout)
    assert "[[keys]]" not in made.stdout
    assert "acmee" in made.stderr
    assert "called 'from here'" in sentence(await keys("new", "--name", "from here", "--tenant", "acme"))
    assert "called 'boss'" in sentence(await keys("new", "--name", "boss", "--tenant", "acme"))
    for bridge in bridges:
        await admitted(bridge, text)
    listed = {one["name"]: one for one in json.loads((await keys("list", "--json")).stdout)}
    assert (listed["from here"]["where"], listed["boss"]["where"]) == ("redis", "configuration")
    assert "@" in listed["from here"]["made_by"]
    assert "from here" in (await keys("list")).stdout
    path = v3_path("g", "ann", f"api_key={text}&x_account_id=acme")
    async with client(bridges[0], path) as one, client(bridges[1], path) as other:
        assert "revoked" in (await keys("revoke", "from here")).stdout
        assert await asyncio.gather(*(each.close_code(SOON_SECONDS) for each in (one, other))) == [4401] * 2
    assert "no key is called" in sentence(await keys("revoke", "from here"))
    assert "stands in the configuration" in sentence(await keys("revoke", "boss"))


async def test_keys_outlive_a_redis_that_is_away_and_one_that_comes_back_empty(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    server = redis_server()
    running = bridge(config=CONFIG, redis=server.url)
    async with administrator(running, api_key("boss")) as boss:
        text = (await make(boss, "kiosk", "acme"))["key"]
        async with client(running, v3_path("g", "ann", f"api_key={text}")) as ann:
            await asyncio.to_thread(server.restart)

            async def is_served() -> bool:
                return await ann.is_served() and running.is_ready()

            await eventually(is_served)

        async def is_back() -> bool:
            return "kiosk" in str(server.execute("HKEYS", f"{running.additions['BRIDGE_PREFIX']}:{{keys}}"))

        await eventually(is_back)
        await admitted(running, text)


async def test_an_open_bridge_asks_for_keys_once_there_are_any(bridge: StartBridge) -> None:
    running = bridge()
    at = {"BRIDGE_PREFIX": running.additions["BRIDGE_PREFIX"]}
    redis = running.options[1]
    async with client(running, v3_path("g", "ann")) as ann:
        made = await asyncio.to_thread(run, "keys", "new", "--redis", redis, environment=at)
        (text,) = re.findall(r"aether_[A-Za-z0-9_-]{43}", made.stdout)
        assert await ann.close_code(SOON_SECONDS) == 4401
    async with client(running, v3_path("g", "ann", f"api_key={text}")) as ann:
        assert await ann.is_served()
    elsewhere = {"Host": "acme.example.com", "Origin": "https://acme.example.com", "X-Api-Key": text}
    async with httpx.AsyncClient(base_url=running.url, headers=elsewhere) as http:
        assert (await http.get("/v3/presence/group/g")).status_code == 200
    later = bridge()
    assert (await refused(later, v3_path("g", "ann")))[1] == 4401
