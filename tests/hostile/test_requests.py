"""HTTP without a key: neither memory, nor files, nor the log are a stranger's to fill."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import httpx
import pytest

from bridge.sockets.metered import MOST_WAITING
from tests.conftest import AUTHORITIES
from tests.end_to_end.configuration import QUIET, api_key
from tests.end_to_end.raw import RawSocket, raw_socket, request
from tests.hostile.attackers import TookMore
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG, TENANTS
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims

MIB = 1024 * 1024
MOST_MEMORY = 48 * MIB
CONNECTIONS = 4
REQUESTS_BYTES = 2 * MIB
BLOCK_BYTES = 65_536
SAMPLE_SECONDS = 0.02

SAID = b'{"msg_type":"msg","target":"group","msg":"hello"}'
OF_A_KEY = {"Host": "a", "X-Api-Key": api_key("rowdy")}
UPGRADE = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
PIPELINED = {
    "short ones": request("/healthz", {"Host": "a"}),
    "nowhere": request("/x", {"Host": "a"}),
    "large answers": request("/client/aether.js", {"Host": "a"}),
}
UNREADABLE = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a broken chunk": request("/v3/messages", OF_A_KEY | {"Transfer-Encoding": "chunked"}, "POST") + b"zz\r\n",
    "another protocol": request("/healthz", {"Host": "a"} | UPGRADE),
    "another version": request("/healthz", {"Host": "a"}).replace(b"HTTP/1.1", b"HTTP/9.9"),
}
TIMES = 200
MOST_LOG_BYTES = 4_096
REST_SECONDS = 2.0
NEIGHBOUR = "127.0.0.9"
LINKS = 8
"""So many links to Redis at most a bridge may come to open meanwhile."""
POOR = f"{QUIET}[budget.address]\nframes = 5\n{TENANTS}"


async def pipelining(raw: RawSocket, one: bytes) -> None:
    """As much as is taken, and never a byte read."""
    block = one * (BLOCK_BYTES // len(one))
    with contextlib.suppress(TimeoutError):
        for _ in range(REQUESTS_BYTES // BLOCK_BYTES):
            async with asyncio.timeout(1):
                await raw.send(block)


async def stays_small(bridge: Attacked, attack: Callable[[], Awaitable[None]]) -> None:
    """The memory of the process stays where it is, while it is attacked and after."""
    before, attacking = bridge.resident_bytes, asyncio.ensure_future(attack())
    try:
        while not attacking.done():
            if (more := bridge.resident_bytes - before) > MOST_MEMORY:
                raise TookMore(f"{more // MIB} MiB")
            await asyncio.wait([attacking], timeout=SAMPLE_SECONDS)
        await attacking
    finally:
        attacking.cancel()
        await asyncio.gather(attacking, return_exceptions=True)


async def pipelined_requests_wait(bridge: Attacked, one: bytes) -> None:
    async with contextlib.AsyncExitStack() as ends, victims(bridge) as talking:
        sockets = [await ends.enter_async_context(raw_socket(bridge)) for _ in range(CONNECTIONS)]

        async def attack() -> None:
            await asyncio.gather(talking.talk(), *(pipelining(raw, one) for raw in sockets))

        await stays_small(bridge, attack)


@pytest.mark.parametrize("requests", PIPELINED)
async def test_requests_that_nobody_reads_the_answers_of_take_no_memory(attacked: StartAttacked, requests: str) -> None:
    await pipelined_requests_wait(attacked(config=CONFIG), PIPELINED[requests])


@pytest.mark.parametrize("requests", ["short ones", "large answers"])
async def test_where_all_that_arrives_is_taken_in_they_do(attacked: StartAttacked, requests: str) -> None:
    bridge = attacked(config=f"{CONFIG}# {requests}\n", without="requests")
    with pytest.raises(TookMore):
        await pipelined_requests_wait(bridge, PIPELINED[requests])


async def the_log_stays_short(bridge: Attacked, said: bytes) -> None:
    """However often it is said, each time on a connection of its own."""
    before = bridge.log_bytes
    async with victims(bridge):
        for _ in range(TIMES):
            async with raw_socket(bridge) as raw:
                await raw.send(said)
                await raw.some()
    assert bridge.log_bytes - before < MOST_LOG_BYTES, bridge.log[before : before + 1_000]


@pytest.mark.parametrize("said", UNREADABLE)
async def test_what_a_stranger_says_is_counted_and_not_logged(attacked: StartAttacked, said: str) -> None:
    await the_log_stays_short(attacked(config=CONFIG), UNREADABLE[said])


@pytest.mark.parametrize("said", ["garbage", "another protocol"])
async def test_where_every_request_may_log_the_log_grows(attacked: StartAttacked, said: str) -> None:
    bridge = attacked(config=CONFIG, without="restraint")
    with pytest.raises(AssertionError):
        await the_log_stays_short(bridge, UNREADABLE[said])


async def an_offer_costs_no_body(bridge: Attacked) -> None:
    async with raw_socket(bridge) as raw:
        fields = OF_A_KEY | UPGRADE | {"Content-Length": str(len(SAID))}
        await raw.send(request("/v3/messages", fields, "POST") + SAID)
        assert (await raw.answer()).status == 202


async def test_a_request_that_offers_another_protocol_is_answered_in_this_one(attacked: StartAttacked) -> None:
    await an_offer_costs_no_body(attacked(config=CONFIG))


async def test_where_the_offer_ends_the_reading_its_body_is_lost(attacked: StartAttacked) -> None:
    bridge = attacked(config=CONFIG, without="requests")
    with pytest.raises(AssertionError, match="400"):
        await an_offer_costs_no_body(bridge)


async def a_connection_that_rests_can_be_used_again(bridge: Attacked) -> None:
    """A proxy takes one that it believes to be open: it must be, or nobody answers what is asked on it."""
    async with raw_socket(bridge) as raw:
        await raw.send(request("/healthz", {"Host": "a"}))
        assert (await raw.answer()).status == 200
        with pytest.raises(TimeoutError):
            await raw.rest(REST_SECONDS)
        await raw.send(request("/healthz", {"Host": "a"}))
        assert (await raw.answer()).status == 200


async def test_whoever_rests_between_two_requests_is_not_cut_off(attacked: StartAttacked) -> None:
    await a_connection_that_rests_can_be_used_again(attacked(config=CONFIG))


async def test_where_a_connection_is_soon_taken_for_idle_it_is(attacked: StartAttacked) -> None:
    bridge = attacked(config=CONFIG, without="keep-alive")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await a_connection_that_rests_can_be_used_again(bridge)


def refused(bridge: Attacked) -> float:
    """How many requests were told that too many wait, as a neighbour reads it."""
    with httpx.Client(transport=httpx.HTTPTransport(AUTHORITIES, local_address=NEIGHBOUR)) as http:
        lines = http.get(f"{bridge.url}/metrics").text.splitlines()
    return float(next(line for line in lines if "request_refused" in line).rpartition(" ")[2])


async def whoever_is_gone_waits_no_longer(bridge: Attacked) -> None:
    """An address that has spent all it may goes on asking, and never stays for the answer."""
    before = bridge.open_files
    for _ in range(MOST_WAITING + 500):
        async with raw_socket(bridge) as raw:
            await raw.send(request("/healthz", {"Host": "a"}))
    while bridge.open_files > before + LINKS:  # noqa: ASYNC110 - nothing tells when it has seen all go
        await asyncio.sleep(0.02)
    assert await asyncio.to_thread(refused, bridge) == 0
    assert "ASGI" not in bridge.log


async def test_requests_of_those_who_are_gone_fill_no_line(attacked: StartAttacked) -> None:
    await whoever_is_gone_waits_no_longer(attacked(config=POOR))


async def test_where_they_stay_in_line_nobody_else_of_that_address_has_a_place(attacked: StartAttacked) -> None:
    bridge = attacked(config=POOR, without="leaving the line")
    with pytest.raises(AssertionError):
        await whoever_is_gone_waits_no_longer(bridge)
