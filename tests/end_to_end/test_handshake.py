"""The handshake before anyone asks who knocks: ids, origins, paths, and whether there is room.

An id is refused in a way that a browser can read; what no client of ours causes is answered in HTTP.
"""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, denied, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, key, with_key
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
