"""Whom nginx counts as whom, what it lets past its limits, and what it tells a bridge. Nobody real stands behind it.

Two requests in a row are allowed here instead of thousands. Each test comes from addresses of its own, which nginx is
made to believe.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from engineio import AsyncServer

from tests.deploy.conftest import StartNginx
from tests.deploy.named_server import named_server
from tests.deploy.nginx import Nginx
from tests.end_to_end.raw import raw_socket, request

BELIEVE = {"server_tokens off;": "server_tokens off; set_real_ip_from 127.0.0.1; real_ip_header X-Test-Address;"}
RARELY = {
    "rate=100r/s": "rate=1r/m",
    "rate=1000r/s": "rate=1r/m",
    "rate=200r/s": "rate=1r/m",
    "burst=2000 delay=200;": "burst=1 nodelay;",
    "burst=4000 delay=2000;": "burst=1 nodelay;",
    "burst=400 nodelay;": "burst=1 nodelay;",
}
POLLING = "EIO=4&transport=polling"
SID = "7jvij4fFRmn1gzy9AAAA"  # as python-engineio makes them; the same in every worker of the suite
DOORS = ("/v3/ws/group/g/client/c", "/ws/client/c", "/ws_redis/7", "/healthz", "/socket.io/")
NO_SIDS = (
    "sid=1",
    "SID=1",
    f"SID={SID}",
    "sid=",
    "sid",
    f"sid={SID}x",
    f"sid={SID[:-1]}",
    f"sid={SID}&sid={SID}",
    f"sid={SID}&{POLLING}&sid=1",
    f"sid=1&sid={SID}",
    f"s%69d={SID}",
    f"xsid={SID}",
    f"sid={SID[:-1]}.",
    f"sid=7.{SID}",
    f"sid=100.{SID}",
    f"sid=a.{SID}",
    f"sid=%0a{SID[3:]}",
)


@pytest.fixture(scope="module")
def proxy(nginx: StartNginx) -> Iterator[Nginx]:
    with named_server("bridge") as bridge:
        yield nginx(bridge, bridge, changes={**BELIEVE, **RARELY})


async def statuses(proxy: Nginx, *visits: tuple[str, str]) -> list[int]:
    """What is answered to each (address, target), one after the other."""
    found = []
    for address, target in visits:
        async with raw_socket(proxy, proxy.tls) as one:
            await one.send(request(target, {"Host": "localhost", "X-Test-Address": address, "Connection": "close"}))
            found.append((await one.answer()).status)
    return found


def somebody() -> str:
    return f"198.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


@pytest.mark.parametrize("no_sid", NO_SIDS)
async def test_what_is_no_sid_lifts_no_limit(proxy: Nginx, no_sid: str) -> None:
    who = somebody()
    assert await statuses(proxy, *[(who, f"/socket.io/?{POLLING}&{no_sid}")] * 3) == [200, 200, 503]


@pytest.mark.parametrize("door", DOORS)
async def test_a_sid_lifts_no_limit_at_any_other_door(proxy: Nginx, door: str) -> None:
    who, targets = somebody(), [f"{door}?sid=1", f"{door}?SID=1", f"{door}?x=1"]
    if door != "/socket.io/":
        targets[0] = f"{door}?sid={SID}"
    assert await statuses(proxy, *((who, target) for target in targets)) == [200, 200, 503]


async def test_a_session_that_began_is_not_counted_with_those_that_begin(proxy: Nginx) -> None:
    who, hello = somebody(), f"/socket.io/?{POLLING}"
    poll = f"{hello}&sid={SID}&t=1"
    visits = [(who, target) for target in (hello, poll, hello, poll, hello)]
    assert await statuses(proxy, *visits) == [200, 200, 200, 200, 503]


async def test_polls_have_a_limit_of_their_own_whoever_the_sid_is(proxy: Nginx) -> None:
    who = somebody()
    sids = [AsyncServer(async_mode="asgi").generate_id() for _ in range(3)]
    visits = [(who, f"/socket.io/?{POLLING}&sid={sid}") for sid in sids]
    assert await statuses(proxy, *visits) == [200, 200, 503]


async def test_what_looks_like_many_sids_costs_nobody_an_error(proxy: Nginx) -> None:
    query = "sid&a=" * 1_000
    assert await statuses(proxy, (somebody(), f"/socket.io/?{query}")) == [200]


@pytest.mark.parametrize("door", DOORS)
async def test_an_ipv6_network_is_one_visitor_and_its_neighbour_another(proxy: Nginx, door: str) -> None:
    network, neighbour = (f"2001:db8:{secrets.randbits(16):x}:{number}" for number in (1, 2))
    addresses = [f"{network}::1", f"{network}:ffff::2", f"{network}:a0a:a0a:a0a:a0a", f"{neighbour}::1"]
    assert await statuses(proxy, *((address, door) for address in addresses)) == [200, 200, 503, 200]


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a bridge, and the heads that it gets."""
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as bridge:
        yield f"127.0.0.1:{bridge.sockets[0].getsockname()[1]}", heads


@pytest.fixture
async def told(nginx: StartNginx) -> AsyncIterator[tuple[Nginx, list[str]]]:
    """An nginx, and the heads that its bridge gets."""
    async with listener() as (address, heads):
        yield await asyncio.to_thread(nginx, address, address, changes=BELIEVE), heads


@pytest.mark.parametrize("door", [*DOORS, "/admin", "/metrics"])
async def test_a_bridge_is_told_what_nginx_saw_and_nothing_that_a_client_wrote(
    told: tuple[Nginx, list[str]], door: str
) -> None:
    proxy, heads = told
    lies = {"X-Forwarded-For": "127.0.0.1", "X-Test-Address": "::1", "Host": "LOCALHOST:9999"}
    async with raw_socket(proxy, proxy.tls) as one:
        await one.send(request(door, lies))
        assert (await one.answer()).status == 200
    lines = [line.lower() for line in heads[0].split("\r\n")]
    assert [line for line in lines if line.startswith(("host:", "x-forwarded-for:"))] == [
        "host: localhost",
        "x-forwarded-for: ::1",
    ]
