"""deploy/nginx.conf before two bridges: what it lets through, what it refuses, and what goes wrong without its lines.

Nobody waits a minute here: nginx's 60 seconds are made one second where a test is about them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from bridge.runtime import server
from tests.conftest import StartBridge
from tests.deploy.conftest import StartNginx
from tests.deploy.named_server import named_server
from tests.deploy.nginx import SHIPPED, Nginx, changed, is_open, websocket_block
from tests.end_to_end.clients import ANSWER_SECONDS, Client, client, denied, eventually, v3_path
from tests.end_to_end.configuration import QUIET, key, with_key
from tests.end_to_end.raw import HANDSHAKE, raw_socket, request
from tests.ports import free_port
from tests.servers import BridgeProcess

CONFIG = (
    QUIET
    + 'v2_anonymous_tenant = "lost"\n[tenants.acme]\nhosts = ["api.example.com"]\n[tenants.lost]\n'
    + key("acme", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
KEY = with_key("acme")
V3 = v3_path("team", "ann", KEY)
V2 = f"/ws/group/team/client/42?{KEY}"
SAID = {"msg_type": "msg", "target": "group", "msg": "hi"}
ECHO = {"msg_type": "msg", "target": "echo", "msg": "still here"}
SECONDS_THAT_NGINX_KEEPS = 60  # where its configuration says nothing
TIMEOUT = "            proxy_read_timeout 2100s;\n"
DEFAULT_TIMEOUT_OF_ONE_SECOND = {"proxy_connect_timeout 500ms;": "proxy_connect_timeout 500ms; proxy_read_timeout 1s;"}


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    both = [module_bridge(config=CONFIG, wait=False) for _ in range(2)]
    for each in both:
        each.wait_until_ready()
    return both


@pytest.fixture(scope="module")
def proxy(nginx: StartNginx, bridges: list[BridgeProcess]) -> Nginx:
    """As it is shipped."""
    return nginx(*bridges)


@pytest.fixture
async def http(proxy: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(proxy) as one:
        yield one


def asking(proxy: Nginx, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client of the HTTP surface; `address` is its own."""
    transport = httpx.AsyncHTTPTransport(verify=proxy.tls, local_address=address)
    return httpx.AsyncClient(base_url=proxy.url, transport=transport)


async def connections(bridge: BridgeProcess) -> float:
    """How many clients a bridge holds."""
    async with httpx.AsyncClient() as scraper:
        lines = (await scraper.get(f"{bridge.url}/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("bridge_connections{"))


# What it lets through


async def test_v2_and_v3_talk_to_each_other_from_bridge_to_bridge(proxy: Nginx, bridges: list[BridgeProcess]) -> None:
    async with AsyncExitStack() as everyone:
        ann, ben = [
            await everyone.enter_async_context(
                client(proxy, v3_path("team", name, KEY), host="localhost", tls=proxy.tls)
            )
            for name in ("ann", "ben")
        ]
        old, older = [
            await everyone.enter_async_context(
                client(proxy, f"/{prefix}/group/team/client/{number}?{KEY}", host="localhost", tls=proxy.tls)
            )
            for prefix, number in (("ws", 42), ("ws_redis", 43))
        ]
        assert [await connections(bridge) for bridge in bridges] == [2, 2]
        await ann.say(SAID)
        assert [(await each.hear())["msg"] for each in (ann, ben, old, older)] == ["hi"] * 4
        await old.say({"msg": "from V2"})
        assert [(await each.hear())["msg"] for each in (ann, ben, old, older)] == ["from V2"] * 4


async def test_a_v2_client_without_credentials_is_placed_by_the_name_that_it_called(proxy: Nginx) -> None:
    async with (
        client(proxy, v3_path("team", "ann", KEY), host="localhost", tls=proxy.tls) as ann,
        client(proxy, "/ws/group/team/client/42", host="api.example.com", tls=proxy.tls) as anonymous,
    ):
        await anonymous.say({"msg": "hi"})
        assert (await ann.hear())["msg"] == "hi"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v3/schema", "/openapi.json"])
async def test_what_is_nobodys_secret_is_answered(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 200


async def test_a_backend_says_a_message_and_asks_who_is_there(proxy: Nginx, http: httpx.AsyncClient) -> None:
    credentials = {"X-Api-Key": KEY.removeprefix("api_key=")}
    async with client(proxy, V3, host="localhost", tls=proxy.tls) as ann:
        said = await http.post("/v3/messages", json={**SAID, "group_id": "team"}, headers=credentials)
        assert (said.status_code, (await ann.hear())["msg"]) == (202, "hi")
        present = await http.get("/v3/presence/group/team", headers=credentials)
        assert [member["client_id"] for member in present.json()["members"]] == ["ann"]


async def test_the_client_is_the_bridges_to_serve(http: httpx.AsyncClient) -> None:
    assert (await http.get("/client/aether.js")).headers["content-type"].startswith("text/javascript")
    assert (await http.get("/client/none-of-that-name")).status_code == 404


async def test_the_operator_hears_of_changes_as_they_come(http: httpx.AsyncClient) -> None:
    boss = {"Authorization": f"Bearer {with_key('boss').removeprefix('api_key=')}"}
    async with http.stream("GET", "/admin/api/events", headers=boss, timeout=ANSWER_SECONDS) as events:
        async for line in events.aiter_lines():
            assert line == "event: tenants"
            break


@pytest.mark.parametrize("path", ["/admin", "/admin/"])
async def test_the_dashboard_is_there_with_a_slash_at_its_end_and_without(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


# What it refuses

OF_THE_OPERATOR = (
    "/admin",
    "/admin/api/tenants",
    "/admin/page/main.js",
    "/metrics",
    "/%61dmin",
    "/healthz/%2e%2e/admin",
)


async def test_who_comes_from_elsewhere_sees_nothing_of_the_operators(proxy: Nginx) -> None:
    async with asking(proxy, "127.0.0.2") as stranger, asking(proxy) as neighbour:
        for path in OF_THE_OPERATOR:
            assert (await stranger.get(path)).status_code == 403, path
        assert (await neighbour.get("/admin")).status_code == 200
        assert (await neighbour.get("/admin/api/tenants")).status_code == 401
        assert (await neighbour.get("/metrics")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page", "/docs", "/v3", "/v3/unknown", "/unknown"])
async def test_no_other_path_is_served(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_a_key_in_the_clear_is_refused(proxy: Nginx) -> None:
    async with httpx.AsyncClient() as careless:
        answer = await careless.get(f"http://127.0.0.1:{proxy.plain_port}/healthz?{KEY}")
    assert answer.status_code == 403
    assert "location" not in answer.headers


LARGEST_LINE = f"{V3}&x={'x' * (8_192 - len(f'GET {V3}&x= HTTP/1.1__'))}"
LARGEST_HEADER = {"Cookie": "x" * (8_192 - len("Cookie: __"))}
LARGEST_HEAD = {**LARGEST_HEADER, **{f"X-{number}": "1" for number in range(90)}}
HEADS = {
    "the largest": (101, request(LARGEST_LINE, {**HANDSHAKE, **LARGEST_HEAD, "Host": "localhost"})),
    "a line too long": (414, request(LARGEST_LINE + "x", {**HANDSHAKE, "Host": "localhost"})),
    "a header too long": (431, request(V3, {**HANDSHAKE, "Host": "localhost", "Cookie": "x" * 8_192})),
    "too many headers": (
        431,
        request(V3, {**HANDSHAKE, "Host": "localhost", **{f"X-{number}": "1" for number in range(200)}}),
    ),
}


@pytest.mark.parametrize("case", HEADS)
async def test_the_limits_of_a_head_are_those_of_the_bridge(proxy: Nginx, case: str) -> None:
    status, head = HEADS[case]
    async with raw_socket(proxy, proxy.tls) as one:
        await one.send(head)
        assert (await one.answer()).status == status


async def test_a_body_too_large_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/v3/messages", content=b" " * 200_000)).status_code == 413


async def test_who_comes_too_often_is_told_when_to_come_back(nginx: StartNginx, bridges: list[BridgeProcess]) -> None:
    """With three handshakes in a row allowed instead of 2200, the rest at one in ten seconds."""
    rarely = {"rate=100r/s": "rate=6r/m", "burst=2000 delay=200": "burst=2 nodelay"}
    proxy = nginx(*bridges, changes=rarely)
    async with AsyncExitStack() as everyone:
        for number in range(3):
            await everyone.enter_async_context(
                client(proxy, v3_path("team", f"client_{number}", KEY), host="localhost", tls=proxy.tls)
            )
        refused = await denied(proxy, V3, host="localhost", tls=proxy.tls)
    assert (refused.status_code, json.loads(refused.body)["code"]) == (503, "overloaded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 4


async def test_who_comes_first_after_many_waits_and_is_not_refused(
    nginx: StartNginx, bridges: list[BridgeProcess]
) -> None:
    """Twenty clients at once, of whom two pass undelayed, and the others twenty a second."""
    proxy = nginx(*bridges, changes={"rate=100r/s": "rate=20r/s", "burst=2000 delay=200": "burst=40 delay=2"})
    began = asyncio.get_running_loop().time()
    async with AsyncExitStack() as everyone:
        await asyncio.gather(
            *(
                everyone.enter_async_context(
                    client(proxy, v3_path("team", f"client_{number}", KEY), host="localhost", tls=proxy.tls)
                )
                for number in range(20)
            )
        )
    assert asyncio.get_running_loop().time() - began > 0.5


async def test_an_address_has_only_so_many_connections(nginx: StartNginx, bridges: list[BridgeProcess]) -> None:
    proxy = nginx(*bridges, changes={"limit_conn connections 4000": "limit_conn connections 2"})
    async with (
        client(proxy, V3, host="localhost", tls=proxy.tls),
        client(proxy, V2, host="localhost", tls=proxy.tls),
    ):
        assert (await denied(proxy, V3, host="localhost", tls=proxy.tls)).status_code == 503


# The pitfalls, each by taking a line away


async def test_without_the_websocket_block_the_path_is_not_found(
    nginx: StartNginx, bridges: list[BridgeProcess]
) -> None:
    proxy = nginx(*bridges, changes={websocket_block(): ""})
    for path in (V3, V2):
        assert (await denied(proxy, path, host="localhost", tls=proxy.tls)).status_code == 404


async def test_a_name_that_is_not_listed_gets_400(
    nginx: StartNginx, proxy: Nginx, bridges: list[BridgeProcess]
) -> None:
    assert (await denied(proxy, V3, host="unlisted.example.com", tls=proxy.tls)).status_code == 400
    forgetful = nginx(*bridges, changes={"server_name api.example.com localhost;": "server_name api.example.com;"})
    assert (await denied(forgetful, V3, host="localhost", tls=proxy.tls)).status_code == 400


def test_a_bridge_keeps_an_idle_connection_for_longer_than_nginx_does() -> None:
    """Else nginx would say a request on one that the bridge is just closing, and nobody would answer."""
    assert "keepalive_timeout" not in SHIPPED.read_text()
    assert server.KEEP_ALIVE_SECONDS > SECONDS_THAT_NGINX_KEEPS


async def test_an_idle_connection_lives_by_the_timeout_alone(nginx: StartNginx, bridges: list[BridgeProcess]) -> None:
    """Both run where nginx's default is one second instead of 60; one lacks the line."""
    with_line = nginx(*bridges, changes=DEFAULT_TIMEOUT_OF_ONE_SECOND)
    without_line = nginx(*bridges, changes={**DEFAULT_TIMEOUT_OF_ONE_SECOND, TIMEOUT: ""})
    async with (
        client(with_line, V3, host="localhost", tls=with_line.tls) as living,
        client(with_line, V2, host="localhost", tls=with_line.tls) as legacy,
        client(without_line, V3, host="localhost", tls=with_line.tls) as dropped,
    ):
        assert await dropped.close_code() == 1006
        await asyncio.sleep(0.5)
        assert await living.is_served()
        await legacy.say({"msg": "hi"})
        assert (await legacy.hear())["msg"] == "hi"


@pytest.mark.parametrize(
    "line", ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $connection_upgrade;"]
)
async def test_without_the_lines_of_the_upgrade_nobody_is_admitted(
    nginx: StartNginx, bridges: list[BridgeProcess], line: str
) -> None:
    lacking = changed(websocket_block(), {line: ""})
    proxy = nginx(*bridges, changes={websocket_block(): lacking})
    assert (await denied(proxy, V3, host="localhost", tls=proxy.tls)).status_code == 426


# Ends and beginnings


async def test_a_reload_drops_nobody(nginx: StartNginx, bridges: list[BridgeProcess]) -> None:
    proxy = nginx(*bridges)
    async with (
        client(proxy, V3, host="localhost", tls=proxy.tls) as ann,
        client(proxy, V2, host="localhost", tls=proxy.tls) as legacy,
    ):
        proxy.reload()
        await ann.say(SAID)
        assert [(await each.hear())["msg"] for each in (ann, legacy)] == ["hi", "hi"]
        async with client(proxy, v3_path("team", "ben", KEY), host="localhost", tls=proxy.tls) as newcomer:
            await newcomer.say({**SAID, "msg": "me too"})
            assert [(await each.hear())["msg"] for each in (ann, legacy, newcomer)] == ["me too"] * 3


async def test_who_is_on_a_bridge_that_stops_is_told_and_finds_the_other(
    nginx: StartNginx, bridge: StartBridge
) -> None:
    stopping, staying = bridge(config=CONFIG), bridge(config=CONFIG)
    proxy = nginx(stopping, staying)
    async with AsyncExitStack() as everyone:
        both = [
            await everyone.enter_async_context(
                client(proxy, v3_path("team", name, KEY), host="localhost", tls=proxy.tls)
            )
            for name in ("ann", "ben")
        ]
        leaving = asyncio.create_task(asyncio.to_thread(stopping.terminate))
        told = await first_ended(both)
        assert told == ("going_away", 1012)
        async with client(proxy, v3_path("team", "cat", KEY), host="localhost", tls=proxy.tls) as returned:
            assert await returned.is_served()
        assert await leaving == 0
        async with client(proxy, v3_path("team", "cat", KEY), host="localhost", tls=proxy.tls) as returned:
            assert await returned.is_served()


async def first_ended(people: list[Client]) -> tuple[str, int]:
    """What the first of them whom the server sends away was told, and the code of the close."""

    async def end_of(one: Client) -> tuple[str, int]:
        last: dict[str, Any] = {}
        try:
            while True:
                last = json.loads(await one.connection.recv())
        except ConnectionClosed as closed:
            return last["payload"]["code"], closed.rcvd.code if closed.rcvd else 1006

    ends = [asyncio.create_task(end_of(one)) for one in people]
    done, others = await asyncio.wait(ends, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    return done.pop().result()


async def test_where_no_bridge_answers_it_says_when_to_come_back(nginx: StartNginx) -> None:
    assert not is_open(1)
    proxy = nginx("127.0.0.1:1", "127.0.0.1:1")
    refused = await denied(proxy, V3, host="localhost", tls=proxy.tls)
    assert (refused.status_code, json.loads(refused.body)["code"]) == (503, "bus_down")
    assert 1 <= int(refused.headers["Retry-After"]) <= 4


async def test_a_bridge_that_one_worker_finds_again_is_found_by_all(nginx: StartNginx) -> None:
    port = free_port()
    proxy = nginx("127.0.0.1:1", f"127.0.0.1:{port}", changes={"worker_processes auto;": "worker_processes 4;"})

    async def status() -> int:
        """On a connection of its own, which any of the workers may take."""
        async with asking(proxy) as newcomer:
            return (await newcomer.get("/healthz")).status_code

    async def is_found() -> bool:
        return await status() == 200

    async def statuses() -> set[int]:
        return set(await asyncio.gather(*(status() for _ in range(40))))

    assert await statuses() == {503}
    with named_server("bridge", port):
        await eventually(is_found, 10)
        assert await statuses() == {200}


async def test_a_message_on_which_a_bridge_ends_is_not_said_to_the_other(nginx: StartNginx) -> None:
    asked = 0

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.close()

    async with await asyncio.start_server(end, "127.0.0.1", 0) as dying:
        address = f"127.0.0.1:{dying.sockets[0].getsockname()[1]}"
        proxy = await asyncio.to_thread(nginx, address, address)
        async with asking(proxy) as backend:
            answer = await backend.post("/v3/messages", json=SAID)
    assert (answer.status_code, answer.json()["code"], asked) == (503, "bus_down", 1)
