"""Heads of requests that are no handshake: too large, unreadable, unfinished. Each is answered in HTTP, and soon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import HANDSHAKE, raw_socket, request
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def open_bridge(module_bridge: StartBridge) -> BridgeProcess:
    """No keys: everyone on this machine is let in."""
    return module_bridge(config=QUIET)


V3 = "/v3/ws/group/team/client/ann"
TOO_LARGE = {
    "a long line": (414, request(f"{V3}?jwt={'x' * 8_192}", HANDSHAKE)),
    "a line just too long": (414, request("/" + "x" * (8_193 - len("GET / HTTP/1.1\r\n")), HANDSHAKE)),
    "a line without end": (414, b"GET /" + b"x" * 20_000),
    "a very long line": (414, request(f"/{'x' * 4_000_000}", HANDSHAKE)),
    "a long header": (431, request(V3, {**HANDSHAKE, "Cookie": "x" * 8_192})),
    "a long name": (431, request(V3, {**HANDSHAKE, "x" * 8_192: "1"})),
    "200 headers": (431, request(V3, {**HANDSHAKE, **{f"X-{number}": "1" for number in range(200)}})),
    "a header without end": (431, request(V3, HANDSHAKE)[:-2] + b"Cookie: " + b"x" * 100_000),
    "a header just too long, without end": (431, request(V3, HANDSHAKE)[:-2] + b"Cookie: " + b"x" * 8_200),
    "many headers without end": (431, request(V3, HANDSHAKE)[:-2] + b"X-Many: 1\r\n" * 200),
}


@pytest.mark.parametrize("case", TOO_LARGE)
async def test_a_head_that_is_too_large_is_answered_within_a_second(open_bridge: BridgeProcess, case: str) -> None:
    status, head = TOO_LARGE[case]
    stopwatch = Stopwatch()
    async with raw_socket(open_bridge) as client:
        await client.send(head)
        answer = await client.answer()
        assert (answer.status, await client.rest(1)) == (status, b"")
    assert stopwatch.least_seconds < 1


async def test_a_head_of_the_largest_size_is_taken(open_bridge: BridgeProcess) -> None:
    line = f"{V3}?x={'x' * (8_192 - len(f'GET {V3}?x= HTTP/1.1__'))}"
    cookie = "x" * (8_192 - len("Cookie: __"))
    large = {f"X-{number}": "1" for number in range(94)} | {"Cookie": cookie}
    async with raw_socket(open_bridge) as client:
        await client.send(request(line, {**HANDSHAKE, **large}))
        assert (await client.answer()).status == 101


HTTP = {name: value for name, value in HANDSHAKE.items() if name == "Host"}
NO_HANDSHAKE: dict[str, Any] = {
    "no upgrade": (426, HTTP),
    "an upgrade to something else": (426, {**HANDSHAKE, "Upgrade": "h2c"}),
    "version 8": (426, {**HANDSHAKE, "Sec-WebSocket-Version": "8"}),
    "no version": (400, {name: value for name, value in HANDSHAKE.items() if name != "Sec-WebSocket-Version"}),
    "a short key": (400, {**HANDSHAKE, "Sec-WebSocket-Key": "c2hvcnQ="}),
    "a long key": (400, {**HANDSHAKE, "Sec-WebSocket-Key": "dGhpcyBpcyBsb25nZXIgdGhhbiBzaXh0ZWVu"}),
    "a key that is none": (400, {**HANDSHAKE, "Sec-WebSocket-Key": "!"}),
    "another method": (405, HANDSHAKE, "POST"),
    "no key": (400, {name: value for name, value in HANDSHAKE.items() if name != "Sec-WebSocket-Key"}),
}


UNREADABLE = {
    "a body": request(V3, {**HANDSHAKE, "Content-Length": "2"}) + b"{}",
    "a path that is not ASCII": request("/ws/\N{GRINNING FACE}", HANDSHAKE),
    "a query that is not ASCII": request(V3 + "?x=\N{GRINNING FACE}", HANDSHAKE),
    "a line break within a header": request(V3, {**HANDSHAKE, "X-Odd": "1\n 2"}),
    "a header without a name": request(V3, {**HANDSHAKE, "": "1"}),
    "two hosts": request(V3, {**HANDSHAKE, "host": "another.example"}),
    "one host twice": request("/ws/42", {**HANDSHAKE, "HOST": HANDSHAKE["Host"]}),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "a WebSocket frame": b"\x81\x85\x00\x00\x00\x00hello\r\n\r\n",
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_what_cannot_be_read_as_a_handshake_is_a_bad_request(open_bridge: BridgeProcess, case: str) -> None:
    async with raw_socket(open_bridge) as client:
        await client.send(UNREADABLE[case])
        assert (await client.answer()).status == 400
        assert await client.rest(1) == b""


async def test_who_shuts_its_side_after_that_answer_leaves_no_trace_in_the_log(bridge: StartBridge) -> None:
    process = bridge()
    for handshake in UNREADABLE.values():
        async with raw_socket(process) as client:
            await client.send(handshake)
            assert (await client.answer()).status == 400
            client.shut_down_writing()
            assert await client.rest(5) == b""


@pytest.mark.parametrize("path", [V3, "/ws", "/ws/42", "/ws_redis/group/team/client/42"])
@pytest.mark.parametrize("case", NO_HANDSHAKE)
async def test_what_is_no_handshake_is_answered_in_http(open_bridge: BridgeProcess, path: str, case: str) -> None:
    status, *head = NO_HANDSHAKE[case]
    async with raw_socket(open_bridge) as client:
        await client.send(request(path, *head))
        answer = await client.answer()
        assert answer.status == status
        if status == 426:
            assert answer.headers["upgrade"] == "websocket"
        if case == "version 8":
            assert answer.headers["sec-websocket-version"] == "13"


async def test_compression_is_not_agreed_to(open_bridge: BridgeProcess) -> None:
    async with raw_socket(open_bridge) as client:
        await client.send(request(V3, {**HANDSHAKE, "Sec-WebSocket-Extensions": "permessage-deflate"}))
        answer = await client.answer()
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers


IMPATIENT = (V3, "/ws/42", v3_path("team", "42"), "/nowhere", "/ws/a/b", "/healthz", "/ws/" + "x" * 200)


async def test_who_does_not_wait_for_an_answer_leaves_no_trace(bridge: StartBridge) -> None:
    process = bridge()
    for path in IMPATIENT * 10:
        for head in (HANDSHAKE, HTTP, {**HANDSHAKE, "Origin": "https://evil.example"}):
            async with raw_socket(process) as client:
                await client.send(request(path, head))
    async with raw_socket(process) as client:
        await client.send(request("/metrics", HTTP))
        metrics = (await client.answer()).body.decode()
    assert "bridge_errors_total 0.0" in metrics
    assert "Exception" not in process.log


UNFINISHED = {
    "nothing at all": b"",
    "half a line": b"GET /v3/ws/gr",
    "half a head": request(V3, HANDSHAKE)[:-2],
    "half a body": request("/v3/messages", {**HTTP, "Content-Length": "10"}, "POST") + b"{",
    "half a head after a whole request": request("/healthz", HTTP) + request(V3, HANDSHAKE)[:-2],
}


async def test_what_is_begun_and_never_finished_is_closed_within_10_seconds(open_bridge: BridgeProcess) -> None:
    async def is_ended(begun: bytes, *, drips: bool = False) -> bool:
        async with raw_socket(open_bridge) as client:
            await client.send(begun)
            drip = asyncio.create_task(dripped(client.send)) if drips else None
            await client.rest(10)
            if drip is not None:
                drip.cancel()
        return True

    async def dripped(send: Any) -> None:
        while True:
            await asyncio.sleep(0.5)
            await send(b"X-Drip: 1\r\n")

    slowly = is_ended(request(V3, HANDSHAKE)[:-2], drips=True)
    assert all(await asyncio.gather(slowly, *map(is_ended, UNFINISHED.values())))
