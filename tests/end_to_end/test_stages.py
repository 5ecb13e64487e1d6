"""Where a tenant stands in its migration, as its configuration says: who may connect, and what the others are told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, refused, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import BridgeProcess

TENANTS = {
    "old": 'stage = "legacy"\nhosts = ["old.example.test"]\n',
    "between": 'stage = "bridge"\ndeprecated = 2026-12-01\nsunset = 2027-06-30\n',
    "dated": "deprecated = 2026-12-01\n",
    "ending": "sunset = 2027-06-30\n",
    "usual": "",
    "new": 'stage = "v3"\ndeprecated = 2026-12-01\nhosts = ["new.example.test"]\n',
}
CONFIG = QUIET + "".join(f"[tenants.{name}]\n{table}" + key(name, name) for name, table in TENANTS.items())
V2_PATHS = ("/ws/group/team/client/42", "/ws_redis/42", "/ws/client/42", "/ws_redis/group/team", "/ws")
ECHO = {"msg_type": "msg", "target": "echo"}
SAID = {"msg_type": "msg", "target": "group", "group_id": "team", "msg": "hi"}


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@pytest.fixture(autouse=True)
async def no_traceback(shared: BridgeProcess) -> AsyncIterator[None]:
    yield
    assert "Traceback" not in shared.log


async def posted(shared: BridgeProcess, name: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=shared.url) as http:
        return await http.post("/v3/messages", json=SAID, headers={"X-Api-Key": api_key(name)})


async def test_in_legacy_v3_is_refused_and_v2_served(shared: BridgeProcess) -> None:
    error, close_code = await refused(shared, v3_path("team", "ann", with_key("old")))
    assert (error["payload"]["code"], error["group_id"], close_code) == ("stage_legacy", "team", 4404)
    for path in V2_PATHS:
        async with client(shared, f"{path}?{with_key('old')}") as served:
            assert await served.ask({"msg": "hi"}) == {"msg": "hi"}


async def test_in_legacy_a_backend_is_refused(shared: BridgeProcess) -> None:
    answer = await posted(shared, "old")
    assert (answer.status_code, answer.json()["code"], answer.json()["retry"]) == (403, "stage_legacy", False)


async def test_in_bridge_both_are_served(shared: BridgeProcess) -> None:
    query = with_key("between")
    async with (
        client(shared, v3_path("team", "ann", query)) as ann,
        client(shared, f"/ws/group/team/client/42?{query}") as old,
    ):
        assert (await posted(shared, "between")).status_code == 202
        assert (await ann.hear())["msg"] == (await old.hear())["msg"] == "hi"
        await old.say({"msg": "ho"})
        assert (await ann.hear())["msg"] == (await old.hear())["msg"] == "ho"


@pytest.mark.parametrize("path", V2_PATHS)
async def test_in_v3_v2_is_refused_and_told_where_to_go(shared: BridgeProcess, path: str) -> None:
    frame, close_code = await refused(shared, f"{path}?{with_key('new')}")
    told = frame["bridge"]
    assert (told["error"], told["notice"], close_code) == ("v2_retired", "v2_retired", 4410)
    async with client(shared, f"{told['successor']}?{with_key('new')}") as successor:
        assert await successor.is_served()


async def test_in_v3_the_successor_has_the_names_of_the_path(shared: BridgeProcess) -> None:
    frame, _ = await refused(shared, f"/ws/group/a%20b/client/42?{with_key('new')}")
    assert frame["bridge"]["successor"] == "/v3/ws/group/v2-a_20b/client/v2-42"


async def test_in_v3_the_refused_handshake_says_when_v2_ended(shared: BridgeProcess) -> None:
    async with client(shared, f"/ws/group/team/client/42?{with_key('new')}") as old:
        assert old.connection.response is not None
        headers = old.connection.response.headers
        assert headers["Deprecation"] == "@1796083200"
        assert headers["Link"] == '</v3/ws/group/team/client/v2-42>; rel="successor-version"'


async def test_in_v3_a_client_without_a_key_is_refused_by_its_host(shared: BridgeProcess) -> None:
    frame, close_code = await refused(shared, "/ws/42", host="new.example.test")
    assert (frame["bridge"]["error"], close_code) == ("v2_retired", 4410)


async def test_in_v3_v3_and_backends_are_served(shared: BridgeProcess) -> None:
    async with client(shared, v3_path("team", "ann", with_key("new"))) as ann:
        assert (await posted(shared, "new")).status_code == 202
        assert (await ann.hear())["msg"] == "hi"


HEADERS = {
    "between": {"Deprecation": "@1796083200", "Sunset": "Wed, 30 Jun 2027 00:00:00 GMT"},
    "dated": {"Deprecation": "@1796083200"},
    "ending": {"Sunset": "Wed, 30 Jun 2027 00:00:00 GMT"},
    "usual": {},
}


@pytest.mark.parametrize("name", HEADERS)
async def test_the_v2_handshake_says_when_v2_ends(shared: BridgeProcess, name: str) -> None:
    async with client(shared, f"/ws/group/team/client/42?{with_key(name)}") as old:
        assert old.connection.response is not None
        headers = old.connection.response.headers
        link = '</v3/ws/group/team/client/v2-42>; rel="successor-version"'
        expected = HEADERS[name] | ({"Link": link} if HEADERS[name] else {})
        assert {word: headers[word] for word in ("Deprecation", "Sunset", "Link") if word in headers} == expected


async def test_the_v3_handshake_says_nothing_of_that(shared: BridgeProcess) -> None:
    async with client(shared, v3_path("team", "ann", with_key("between"))) as new:
        assert new.connection.response is not None
        assert {"Deprecation", "Sunset", "Link"}.isdisjoint(new.connection.response.headers)


async def test_a_tenant_keeps_to_its_own_stage(shared: BridgeProcess) -> None:
    async with client(shared, v3_path("team", "ann", with_key("usual"))) as ann:
        assert (await ann.ask(ECHO))["from_id"] == "ann"
