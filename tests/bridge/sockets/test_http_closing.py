"""How a connection under HTTP ends: what is too large, too slow, or not meant for us gets an answer, and goes."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from bridge.sockets import request_deadline, response_deadline
from bridge.sockets.http_protocol import HttpProtocol
from bridge.sockets.ports import when_gone
from tests.bridge.broker.parts import until
from tests.bridge.sockets.http_server import GET, GONE, HOST, LARGE, SEEN, Serving
from tests.end_to_end.raw import HANDSHAKE, RawSocket, request
from tests.stopwatch import Stopwatch


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/" + "x" * 8_200, HOST, 414),
        ("/?" + "a&" * 128, HOST, 414),
        ("/?" + "a&" * 128, HOST | {"Upgrade": "h2c", "Connection": "Upgrade"}, 414),
        ("/", HOST | {"X-Large": "x" * 8_200}, 431),
        ("/", HOST | {f"X-{number}": "x" for number in range(100)}, 431),
        ("/", HANDSHAKE | {"Connection": "Upgrade," + "a," * 300}, 431),
        ("/", HANDSHAKE | {"Sec-WebSocket-Version": "8"}, 426),
        ("/", {"Host": "x\x00y"}, 400),
    ],
    ids=["line", "fields", "fields and an upgrade", "header", "headers", "list", "version", "no header"],
)
async def test_what_cannot_be_served_is_answered_and_the_connection_ends(
    raw: RawSocket, target: str, headers: dict[str, str], status: int
) -> None:
    stopwatch = Stopwatch()
    await raw.send(request(target, headers))
    answer = await raw.answer()
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert answer.body.endswith(b'."}')
    await raw.send(b"more" * 1_000)
    assert await raw.rest(2) == b""
    assert stopwatch.least_seconds < 1


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_what_is_not_finished_in_time_is_closed(
    raw: RawSocket, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_deadline, "REQUEST_SECONDS", 0.5)
    await raw.send(request("/", HOST))
    assert (await raw.answer()).status == 200
    host, port = raw._writer.get_extra_info("peername")
    reader, writer = await asyncio.open_connection(host, port)
    late = RawSocket(reader, writer)
    await late.send(begun)
    assert await late.rest(2) == b""
    late.close()


async def test_an_answer_that_takes_long_is_waited_for(raw: RawSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_deadline, "REQUEST_SECONDS", 0.1)
    await raw.send(request("/", HOST))
    assert (await raw.answer()).status == 200
    await raw.send(request("/slow", HOST))
    assert (await raw.answer()).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        bytes(range(256)) * 10,
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/9.9\r\n\r\n",
        request("/", HOST | {"Content-Length": "1" * 5_000}),
        request("/", HOST | {"Content-Length": "1", "Transfer-Encoding": "chunked"}),
    ],
    ids=["http2", "tls", "bytes", "line ends", "version", "length", "both"],
)
async def test_what_is_no_request_is_told_so_once_and_counted(serving: Serving, raw: RawSocket, garbage: bytes) -> None:
    await raw.send(garbage)
    assert (await raw.answer()).status == 400
    assert await raw.rest(2) == b""
    assert serving.strangers.ended == {"400": 1}


@pytest.mark.parametrize("path", ["/echo", "/slow", "/"])
@pytest.mark.parametrize(
    "broken", [b"xyz\r\n", b"3\r\nabcd\r\n", b"1\r\nx\r\n" * 5_000, b"0\r\n" + b"A: b\r\n" * 9_000]
)
async def test_a_broken_chunk_ends_the_connection_and_the_request(raw: RawSocket, path: str, broken: bytes) -> None:
    await raw.send(request(path, HOST | {"Transfer-Encoding": "chunked"}, "POST") + broken)
    answer = await raw.answer()
    no_http = b'{"code": "bad_request", "msg": "This is no HTTP request."}'
    assert (answer.status, answer.body) in [(400, no_http), (200, b"ok")]
    assert await raw.rest(2) == b""
    assert path != "/echo" or SEEN == ["/echo", "gone"]


async def test_whoever_goes_in_the_middle_of_a_body_is_gone(raw: RawSocket) -> None:
    await raw.send(request("/echo", HOST | {"Content-Length": "9"}, "POST") + b"one")
    await until(lambda: SEEN == ["/echo"])
    raw.close()
    await until(lambda: SEEN == ["/echo", "gone"])


async def test_a_body_has_a_deadline(serving: Serving, raw: RawSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_deadline, "REQUEST_SECONDS", 0.1)
    late = await serving.open()
    await late.send(request("/echo", HOST | {"Content-Length": "9"}, "POST") + b"one")
    assert await late.rest(5) == b""
    await until(lambda: SEEN == ["/echo", "gone"])
    assert serving.strangers.ended == {"late": 1}


async def test_a_long_body_has_as_long_as_it_takes_at_a_fair_pace(
    serving: Serving, raw: RawSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_deadline, "REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(request_deadline, "SLOWEST_BYTES_PER_SECOND", 10)
    patient = await serving.open()
    await patient.send(request("/echo", HOST | {"Content-Length": "1001"}, "POST") + bytes(1_000))
    await asyncio.sleep(0.4)
    await patient.send(b"x")
    assert (await patient.answer()).status == 200


async def test_empty_lines_are_no_request_either(
    serving: Serving, raw: RawSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await raw.send(GET)
    assert (await raw.answer()).status == 200
    monkeypatch.setattr(request_deadline, "REQUEST_SECONDS", 0.1)
    await raw.send(b"\r\n")
    assert await raw.rest(5) == b""


async def test_an_answer_that_is_not_read_has_a_deadline(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_deadline, "STUCK_SECONDS", 0.2)
    deaf = await serving.open(limit=1)
    await deaf.send(request("/large", HOST) * 3)
    await until(lambda: serving.strangers.ended["unread"] == 1 and not serving.connections)
    assert serving.strangers.strangers == 0
    assert SEEN == ["/large"]


async def test_an_answer_that_is_read_slowly_is_waited_for(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_deadline, "STUCK_SECONDS", 0.2)
    slow = await serving.open(limit=1)
    await slow.send(request("/large", HOST))
    read = 0
    while read < LARGE:
        read += len(await slow.some())
        await asyncio.sleep(0.002)
    assert serving.strangers.ended["unread"] == 0


async def test_a_body_that_nobody_wants_is_not_read_to_its_end(serving: Serving, raw: RawSocket) -> None:
    await raw.send(request("/", HOST | {"Content-Length": "100000000"}, "POST") + bytes(1_000))
    assert (await raw.answer()).body == b"ok"
    assert await raw.rest(5) == b""


async def test_a_short_body_that_nobody_wants_costs_no_connection(raw: RawSocket) -> None:
    await raw.send(request("/", HOST | {"Content-Length": "100000"}, "POST"))
    assert (await raw.answer()).body == b"ok"
    await raw.send(bytes(100_000) + GET)
    assert (await raw.answer()).body == b"ok"


@pytest.mark.parametrize(
    "said",
    [
        *(b"", GET, GET * 50, b"GET", b"\x16\x03", request("/never", HANDSHAKE)),
        request("/echo", HOST | {"Content-Length": "9"}, "POST") + b"one",
    ],
    ids=["nothing", "request", "requests", "head", "garbage", "handshake", "body"],
)
async def test_a_connection_that_is_over_leaves_no_garbage(serving: Serving, said: bytes) -> None:
    async def come_and_go() -> None:
        one = await serving.open()
        await one.send(said)
        await asyncio.sleep(0.01)
        one.close()
        await until(lambda: not serving.connections)

    await come_and_go()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await come_and_go()
        serving.opened.clear()
        await asyncio.sleep(0)
        left = [one for one in gc.get_objects() if isinstance(one, HttpProtocol)]
        assert len(left) <= 1
    finally:
        gc.enable()


@pytest.mark.parametrize("said", [request("/busy", HOST), request("/handshake", HOST | HANDSHAKE)])
async def test_when_a_socket_is_gone_whoever_waits_for_it_is_told_at_once(raw: RawSocket, said: bytes) -> None:
    await raw.send(said)
    await until(lambda: bool(SEEN))
    assert GONE == []
    raw.close()
    await until(lambda: GONE == SEEN)


async def test_so_it_is_where_what_it_says_on_is_no_request(raw: RawSocket) -> None:
    await raw.send(request("/busy", HOST | {"Transfer-Encoding": "chunked"}, "POST"))
    await until(lambda: bool(SEEN))
    await raw.send(b"no chunk\r\n")
    await until(lambda: GONE == ["/busy"])


@pytest.mark.parametrize("rounds", [0, 3])
@pytest.mark.parametrize("said", [request("/busy", HOST), request("/handshake", HOST | HANDSHAKE)])
async def test_so_it_is_where_the_socket_went_before_anybody_waited_and_nobody_misses_an_answer(
    monkeypatch: pytest.MonkeyPatch, serving: Serving, said: bytes, rounds: int
) -> None:
    async def stay_for_the_gone(scope: Any, _receive: Any, _send: Any) -> None:
        gone = asyncio.Event()
        for connection in serving.connections:
            connection.transport.abort()
        for _ in range(rounds):
            await asyncio.sleep(0)
        when_gone(scope, gone.set)
        await gone.wait()
        GONE.append(scope["path"])

    monkeypatch.setattr(serving.server.config, "loaded_app", stay_for_the_gone)
    await (await serving.open()).send(said)
    await until(lambda: bool(GONE))
    await until(lambda: not serving.connections)
