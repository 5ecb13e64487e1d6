"""The handshake before anyone asks who knocks: ids, origins, paths, and whether there is room.

An id is refused in a way that a browser can read; what no client of ours causes is answered in HTTP.
"""

from __future__ import annotations

import json
from typing import Any, cast

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, denied, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.end_to_end.raw import HANDSHAKE, raw_socket, request
from tests.servers import BridgeProcess

ORIGIN = "https://app.example.com"
KEYED = QUIET + f'allowed_origins = ["{ORIGIN}"]\n' + key("acme", "acme")


@pytest.fixture(scope="module")
def keyed(module_bridge: StartBridge) -> BridgeProcess:
    """A key, and one allowed origin."""
    return module_bridge(config=KEYED)


@pytest.fixture(scope="module")
def open_bridge(module_bridge: StartBridge) -> BridgeProcess:
    """No keys: everyone on this machine is let in."""
    return module_bridge(config=QUIET)


NO_VISION_IDS = (
    "*",
    "a:b",
    "{x}",
    "42",
    "server",
    "v2-_zz",
    "x" * 65,
    "%0d%0a",
    "%2e%2e",
    "%F0%9F%98%80",
    "v2-",
    "a%2fb",
)


@pytest.mark.parametrize("bad", NO_VISION_IDS)
@pytest.mark.parametrize("place", ["group", "client"])
async def test_an_id_that_is_no_vision_id_is_refused_on_v3(open_bridge: BridgeProcess, place: str, bad: str) -> None:
    path = v3_path(bad, "ann") if place == "group" else v3_path("team", bad)
    error, close_code = await refused(open_bridge, path)
    assert (error["payload"]["code"], close_code) == ("invalid_id", 4400)
    assert error["group_id"] == ("" if place == "group" else "team")


@pytest.mark.parametrize("path", ["/v3/ws/group//client/ann", "/v3/ws/group/team/client/"])
async def test_an_empty_segment_is_not_found(open_bridge: BridgeProcess, path: str) -> None:
    assert (await denied(open_bridge, path)).status_code == 404


@pytest.mark.parametrize("path", ["/ws/{}", "/ws_redis/client/{}", "/ws/group/{}", "/ws/group/{}/client/{}"])
async def test_v2_takes_ids_of_up_to_128_characters(open_bridge: BridgeProcess, path: str) -> None:
    async with client(open_bridge, path.replace("{}", "%C3%A9" * 128)) as admitted:
        assert await admitted.ask({"msg": "hi"}) == {"msg": "hi"}
    error, close_code = await refused(open_bridge, path.replace("{}", "%C3%A9" * 129))
    assert (error["bridge"]["error"], close_code) == ("invalid_id", 4400)


@pytest.mark.parametrize(
    "odd", ["*", "a:b", "%7Bx%7D", "server", "%0d%0a", "%2e%2e", "%F0%9F%98%80", "a%2fb", "%ff", "%00"]
)
async def test_v2_takes_any_segment_as_an_id(open_bridge: BridgeProcess, odd: str) -> None:
    async with client(open_bridge, f"/ws/group/{odd}/client/{odd}") as admitted:
        assert await admitted.ask({"msg": "hi"}) == {"msg": "hi"}


FOREIGN = ("https://other.example", "null", f"{ORIGIN}.evil", f"{ORIGIN}:8443", "http://app.example.com", f"{ORIGIN}/")
NOT_LOOPBACK = (
    "https://example.com",
    "null",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://localhost@evil.example",
    "http://[::1",
    "file://",
    "",
)
both_languages = pytest.mark.parametrize("path", ["/v3/ws/group/team/client/ann", "/ws/ann"])


@both_languages
@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_origin_is_forbidden(keyed: BridgeProcess, path: str, origin: str) -> None:
    assert (await denied(keyed, f"{path}?{with_key('acme')}", headers={"Origin": origin})).status_code == 403


@both_languages
@pytest.mark.parametrize("origin", NOT_LOOPBACK)
async def test_in_open_mode_an_origin_elsewhere_is_forbidden(
    open_bridge: BridgeProcess, path: str, origin: str
) -> None:
    assert (await denied(open_bridge, path, headers={"Origin": origin})).status_code == 403


@both_languages
async def test_an_allowed_origin_is_admitted(keyed: BridgeProcess, path: str) -> None:
    async with client(keyed, f"{path}?{with_key('acme')}", headers={"Origin": ORIGIN}) as admitted:
        assert await admitted.ask({"msg_type": "msg", "target": "echo", "msg": "hi"})


@both_languages
@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8000", "https://[::1]:5173"])
async def test_in_open_mode_an_origin_on_loopback_is_admitted(
    open_bridge: BridgeProcess, path: str, origin: str
) -> None:
    async with client(open_bridge, path, headers={"Origin": origin}) as admitted:
        assert await admitted.ask({"msg_type": "msg", "target": "echo", "msg": "hi"})


NO_ENDPOINTS: tuple[str, ...] = (
    "/nowhere",
    "/v3/ws",
    "/v3/ws/",
    "/v3/ws/group/team",
    "/v3/ws/client/ann/group/team",
    "/V3/ws/group/a/client/b",
    "/ws/a/b",
    "/ws/group/a/b/c",
    "/ws//a",
    "/wsx",
    "//",
    "/",
    "/a%0ab",
    "/page/main.js",
    "/page/x",
    "/healthz",
    "/docs",
)


@pytest.mark.parametrize("path", NO_ENDPOINTS)
async def test_an_unknown_path_is_not_found(open_bridge: BridgeProcess, path: str) -> None:
    assert (await denied(open_bridge, path)).status_code == 404


@both_languages
async def test_who_comes_when_all_places_are_taken_is_told_when_to_come_again(bridge: StartBridge, path: str) -> None:
    process = bridge(config="max_connections = 1\n")
    async with client(process, path):
        answer = await denied(process, path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    await eventually(lambda: admits(process, path))


async def admits(bridge: BridgeProcess, path: str) -> bool:
    try:
        async with client(bridge, path):
            return True
    except InvalidStatus:
        return False


V2_PATHS = ("/ws/group/team/client/42", "/ws_redis/42", "/ws")


@pytest.mark.parametrize("path", V2_PATHS)
@pytest.mark.parametrize("offered", [["chat"], ["chat", "superchat"], ["v1.json"]])
async def test_v2_takes_up_the_first_subprotocol_that_is_offered(
    open_bridge: BridgeProcess, path: str, offered: list[str]
) -> None:
    async with connect(f"ws://127.0.0.1:{open_bridge.port}{path}", subprotocols=cast(Any, offered)) as connection:
        assert connection.subprotocol == offered[0]


async def test_v2_takes_it_up_where_it_refuses_too(keyed: BridgeProcess) -> None:
    url = f"ws://127.0.0.1:{keyed.port}/ws/group/team/client/42?api_key=bad"
    async with connect(url, subprotocols=cast(Any, ["chat"])) as connection:
        assert connection.subprotocol == "chat"
        assert json.loads(await connection.recv())["bridge"]["error"] == "unauthenticated"


@pytest.mark.parametrize("value", ["", ",", "a b", '"', "chat,", "x" * 4_000, "chat\r\nSec-WebSocket-Protocol: b"])
async def test_an_odd_offer_ends_no_handshake(open_bridge: BridgeProcess, value: str) -> None:
    for path in (*V2_PATHS, v3_path("team", "ann")):
        async with raw_socket(open_bridge) as client:
            await client.send(request(path, {**HANDSHAKE, "Sec-WebSocket-Protocol": value}))
            assert (await client.answer()).status == 101


async def test_v3_takes_up_none(open_bridge: BridgeProcess) -> None:
    async with raw_socket(open_bridge) as client:
        await client.send(request(v3_path("team", "ann"), {**HANDSHAKE, "Sec-WebSocket-Protocol": "chat"}))
        answer = await client.answer()
        assert (answer.status, answer.headers.get("sec-websocket-protocol")) == (101, None)


FOREIGN_HOSTS = ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "0x7f.1", "")
OWN_HOSTS = ("localhost", "localhost:8000", "LOCALHOST.", "a.localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8000")


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_in_open_mode_a_name_that_is_not_loopbacks_is_answered_at_no_door(
    open_bridge: BridgeProcess, host: str
) -> None:
    for path in ("/", "/healthz", "/metrics", "/v3/presence/group/team", "/admin", "/client/aether.js", "/nothing"):
        async with raw_socket(open_bridge) as client:
            await client.send(request(path, {"Host": host}))
            answer = await client.answer()
            assert (answer.status, json.loads(answer.body)["code"]) == (403, "forbidden_host")
    for path in (*V2_PATHS, v3_path("team", "ann"), "/socket.io/?EIO=4&transport=websocket"):
        async with raw_socket(open_bridge) as client:
            await client.send(request(path, {**HANDSHAKE, "Host": host}))
            assert (await client.answer()).status == 403


@pytest.mark.parametrize("host", OWN_HOSTS)
async def test_in_open_mode_loopback_names_are_answered(open_bridge: BridgeProcess, host: str) -> None:
    async with raw_socket(open_bridge) as client:
        await client.send(request("/healthz", {"Host": host}))
        assert (await client.answer()).status == 200
        await client.send(request(v3_path("team", "ann"), {**HANDSHAKE, "Host": host}))
        assert (await client.answer()).status == 101


async def test_with_a_key_or_open_admission_every_name_is_answered(keyed: BridgeProcess, bridge: StartBridge) -> None:
    for process in (keyed, bridge(config=QUIET + "open_admission = true\n")):
        async with raw_socket(process) as client:
            await client.send(request("/healthz", {"Host": "bridge.example"}))
            assert (await client.answer()).status == 200


HOSTS = """
[tenants.acme]
hosts = ["ACME.example.com."]
[tenants.umlaut]
hosts = ["bücher.example"]
"""


@pytest.mark.parametrize(
    ("host", "tenant"),
    [
        *(("acme.example.com", "acme"), ("acme.example.com.", "acme"), ("Acme.Example.Com.:8443", "acme")),
        *(("xn--bcher-kva.example", "umlaut"), ("XN--BCHER-KVA.example.:80", "umlaut"), ("example.com", "other")),
    ],
)
async def test_a_tenants_host_is_compared_as_hosts_are(module_bridge: StartBridge, host: str, tenant: str) -> None:
    process = module_bridge(config=QUIET + 'v2_anonymous_tenant = "other"\n' + HOSTS + key("acme", "*"))
    async with raw_socket(process) as one:
        await one.send(request("/ws/42", {**HANDSHAKE, "Host": host}))
        assert (await one.answer()).status == 101
        asked = await http_get(process, "/v3/presence/group/lobby", tenant)
        assert [member["client_id"] for member in asked["members"]] == ["v2-42"]


async def http_get(process: BridgeProcess, path: str, tenant: str) -> Any:
    async with httpx.AsyncClient(base_url=process.url, headers={"X-Api-Key": api_key("acme")}) as http:
        return (await http.get(path, params={"x_account_id": tenant})).json()
