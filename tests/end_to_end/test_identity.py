"""Who is who on either side of the bridge, and what an id map changes of it, for those who are connected too."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET
from tests.servers import PROJECT, BridgeProcess
from tests.stopwatch import Stopwatch

TENANTS = ("plain", "person", "group", "moved", "undone", "lobby")
CONFIG = QUIET + "".join(f"[tenants.{name}]\n" for name in TENANTS)
GROUP = {"msg_type": "msg", "target": "group"}
MapIds = Callable[[str, dict[str, str]], Awaitable[None]]


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    """Open: `x_account_id` picks the tenant, so that each test has one of its own."""
    return module_bridge(config=CONFIG)


@pytest.fixture(autouse=True)
async def no_traceback(shared: BridgeProcess) -> AsyncIterator[None]:
    yield
    assert "Traceback" not in shared.log


@pytest.fixture
def map_ids(shared: BridgeProcess, redis_url: str, module_prefix: str, tmp_path: Path) -> MapIds:
    """Replace a tenant's id map as an operator does: by a file and the command line."""

    async def replace(tenant: str, id_map: dict[str, str]) -> None:
        file = tmp_path / "ids.csv"
        file.write_text("v2_id,vision_id\n" + "".join(f"{v2_id},{name}\n" for v2_id, name in id_map.items()))
        place = ["--redis", redis_url, "--config", str(shared.config_file), *([] if id_map else ["--clear"])]
        command = [sys.executable, "-m", "bridge.cli.main", "tenants", "ids", tenant, str(file), *place]
        environment = {**os.environ, "BRIDGE_PREFIX": module_prefix, "PYTHONPATH": str(PROJECT)}
        loading = await asyncio.create_subprocess_exec(*command, env=environment)
        assert await loading.wait() == 0

    return replace


def v3(shared: BridgeProcess, tenant: str, group: str, client_id: str) -> Any:
    return client(shared, v3_path(group, client_id, f"x_account_id={tenant}"))


def v2(shared: BridgeProcess, tenant: str, group: str, client_id: str) -> Any:
    return client(shared, f"/ws/group/{group}/client/{client_id}?x_account_id={tenant}")


async def members(shared: BridgeProcess, tenant: str, group: str) -> tuple[str, list[str]]:
    async with httpx.AsyncClient(base_url=shared.url) as http:
        found = (await http.get(f"/v3/presence/group/{group}?x_account_id={tenant}")).json()
    return found["group_id"], [member["client_id"] for member in found["members"]]


NAMES = (
    ("42", "v2-42", 42),
    ("0", "v2-0", 0),
    ("007", "v2-007", "007"),
    ("-7", "-7", "-7"),
    ("dev_1", "dev_1", "dev_1"),
    ("a%20b", "v2-a_20b", "a b"),
    ("%C3%A9", "v2-_c3_a9", "é"),
    ("server", "v2-server", "server"),
    ("v2-42", "v2-v2-42", "v2-42"),
    ("a.b@c", "v2-a_2eb_40c", "a.b@c"),
    ("12345678901234567890123", "v2-12345678901234567890123", 12345678901234567890123),
    ("%D9%A3", "v2-_d9_a3", "٣"),
    ("x" * 65, "v2-" + "x" * 65, "x" * 65),
)


@pytest.mark.parametrize(("segment", "name", "v2_id"), NAMES)
async def test_a_v2_id_has_one_name_in_v3_and_comes_back_as_it_was(
    shared: BridgeProcess, segment: str, name: str, v2_id: str | int
) -> None:
    async with v2(shared, "plain", segment, segment) as old, v3(shared, "plain", name, "ann") as ann:
        await old.say({"msg": "hi"})
        assert await old.hear() == {"msg": "hi"}
        heard = await ann.hear()
        assert (heard["from_id"], heard["group_id"]) == (name, name)
        await ann.say({"msg_type": "msg", "target": "direct", "to_id": name})
        frame = await old.hear()
        assert (frame["to_id"], frame["group_id"], frame["client_id"]) == (v2_id, v2_id, "ann")
        await old.say({"to": v2_id, "msg": "to myself"})
        assert await old.hear() == {"to": v2_id, "msg": "to myself"}
        assert await members(shared, "plain", name) == (name, sorted(["ann", name]))


async def test_a_v3_client_that_connects_under_a_v2_name_is_that_client(shared: BridgeProcess) -> None:
    async with (
        v2(shared, "plain", "team", "42") as old,
        v3(shared, "plain", "team", "v2-42") as new,
        v2(shared, "plain", "elsewhere", "43") as other,
    ):
        await other.say({"to": 42, "msg": "to both"})
        assert (await old.hear())["msg"] == (await new.hear())["msg"] == "to both"
        await new.say({"msg_type": "msg", "target": "group", "msg": "from the new one"})
        assert (await old.hear())["client_id"] == 42
        assert (await new.hear())["from_id"] == "v2-42"
        assert await members(shared, "plain", "team") == ("team", ["v2-42"])


async def test_a_mapped_v2_client_and_its_vision_id_are_one_person(shared: BridgeProcess, map_ids: MapIds) -> None:
    await map_ids("person", {"42": "Xk3"})
    await until_known(shared, "person", "v2-42", "Xk3")
    async with (
        v2(shared, "person", "team", "42") as old,
        v3(shared, "person", "team", "Xk3") as new,
        v3(shared, "person", "team", "v2-42") as alias,
        v3(shared, "person", "apart", "ann") as ann,
        v2(shared, "person", "apart", "43") as bob,
    ):
        one_person = (old, new, alias)
        assert await members(shared, "person", "team") == ("team", ["Xk3"])
        for to_id in ("Xk3", "v2-42"):
            await ann.say({"msg_type": "msg", "target": "direct", "to_id": to_id, "msg": to_id})
            heard = [await listener.hear() for listener in one_person]
            assert [frame["to_id"] for frame in heard] == [42, "Xk3", "Xk3"]
        for to in (42, "42", "Xk3"):
            await bob.say({"to": to, "msg": "hi"})
            assert await old.hear() == await bob.hear() == {"to": to, "msg": "hi"}
            assert [(await listener.hear())["to_id"] for listener in (new, alias)] == ["Xk3", "Xk3"]
        for speaker, said in ((old, {"msg": "o"}), (new, GROUP), (alias, GROUP)):
            await speaker.say(said)
            assert [frame["from_id"] for frame in [await new.hear(), await alias.hear()]] == ["Xk3", "Xk3"]
            assert (await old.hear()).get("client_id") == (None if speaker is old else 42)
            assert await bob.hear()


async def until_known(shared: BridgeProcess, tenant: str, alias: str, name: str) -> None:
    """Until the process has seen the map; it looks once a second."""

    async def holds() -> bool:
        return (await members(shared, tenant, alias))[0] == name

    await eventually(holds, seconds=2)


async def test_a_mapped_group_is_one_group(shared: BridgeProcess, map_ids: MapIds) -> None:
    await map_ids("group", {"7": "TeamSeven"})
    await until_known(shared, "group", "v2-7", "TeamSeven")
    async with (
        v2(shared, "group", "7", "42") as old,
        v3(shared, "group", "TeamSeven", "ann") as ann,
        v3(shared, "group", "v2-7", "ben") as ben,
    ):
        await ann.say(GROUP)
        assert (await old.hear())["group_id"] == 7
        assert (await ann.hear())["group_id"] == (await ben.hear())["group_id"] == "TeamSeven"
        await old.say({"msg": "hi"})
        assert (await ann.hear())["group_id"] == (await ben.hear())["group_id"] == "TeamSeven"
        assert await members(shared, "group", "v2-7") == ("TeamSeven", ["ann", "ben", "v2-42"])


async def is_moved(gone: Client) -> None:
    """This connection is sent away, is told why, and that it may come back."""
    told = await gone.hear()
    reason = told["bridge"]["error"] if "bridge" in told else told["payload"]["code"]
    assert (reason, await gone.close_code()) == ("going_away", 1012)


async def test_whoever_has_another_name_now_is_sent_away_to_come_back_under_it(
    shared: BridgeProcess, map_ids: MapIds
) -> None:
    async with (
        v2(shared, "moved", "team", "42") as old,
        v2(shared, "moved", "8", "43") as of_group,
        v3(shared, "moved", "team", "v2-42") as alias,
        v3(shared, "moved", "team", "Xk3") as named,
        v2(shared, "moved", "team", "44") as other,
    ):
        await map_ids("moved", {"42": "Xk3", "8": "TeamEight"})
        stopwatch = Stopwatch()
        for gone in (old, alias, of_group):
            await is_moved(gone)
        assert stopwatch.least_seconds < 2
        assert await named.is_served()
        await other.say({"msg": "still here"})
        assert (await other.hear()) == {"msg": "still here"}
        assert (await named.hear())["msg"] == "still here"
        async with v2(shared, "moved", "team", "42") as back:
            await back.say({"msg": "back"})
            assert (await named.hear())["from_id"] == "Xk3"


async def test_a_map_that_is_taken_back_gives_the_old_names_again(shared: BridgeProcess, map_ids: MapIds) -> None:
    await map_ids("undone", {"42": "Xk3"})
    await until_known(shared, "undone", "v2-42", "Xk3")
    async with v2(shared, "undone", "team", "42") as old, v3(shared, "undone", "team", "Xk3") as named:
        await map_ids("undone", {})
        await is_moved(old)
        assert await named.is_served()
    async with v2(shared, "undone", "team", "42") as old, v3(shared, "undone", "team", "ann") as ann:
        await old.say({"msg": "hi"})
        assert (await ann.hear())["from_id"] == "v2-42"


async def test_the_default_group_can_be_mapped_like_any_other(shared: BridgeProcess, map_ids: MapIds) -> None:
    await map_ids("lobby", {"lobby": "Team7"})

    async def obeyed() -> bool:
        """Who comes before the map is obeyed is sent away when it is, maybe in the middle of a question."""
        with suppress(ConnectionClosed):
            async with v3(shared, "lobby", "lobby", "early") as early:
                return bool((await early.ask({"msg_type": "msg", "target": "echo"})).get("group_id") == "Team7")
        return False

    await eventually(obeyed)
    account = "x_account_id=lobby"
    async with v3(shared, "lobby", "lobby", "ann") as ann, client(shared, f"/ws/client/8?{account}") as old:
        async with httpx.AsyncClient() as http:
            said = {"msg_type": "msg", "target": "group", "msg": "from a backend"}
            assert (await http.post(f"{shared.url}/v3/messages?{account}", json=said)).status_code == 202
        assert (await ann.hear())["group_id"] == "Team7"
        assert (await old.hear())["msg"] == "from a backend"
