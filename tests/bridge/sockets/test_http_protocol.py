"""A connection before it becomes a WebSocket: what is too large, too slow, or not meant for us gets an answer."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import uvicorn

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.sockets import http_protocol, patience
from bridge.sockets.counted_websocket import CountedWebSocket
from bridge.sockets.http_protocol import PIECES_AT_ONCE, HttpProtocol
from bridge.sockets.ports import vouch, when_gone
from bridge.sockets.strangers import Strangers
from tests.bridge.broker.parts import until
from tests.end_to_end.raw import HANDSHAKE, RawSocket, request
from tests.stopwatch import Stopwatch

HOST = {"Host": "127.0.0.1"}
GET = request("/", HOST)
LARGE = 8_000_000
SEEN: list[str] = []
GONE: list[str] = []
BUSY: list[asyncio.Event] = []


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers everything, slowly where it is asked to."""
    SEEN.append(scope["path"])
    when_gone(scope, lambda: GONE.append(scope["path"]))
    if scope["type"] == "websocket":
        await BUSY[-1].wait()
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    if scope["path"] == "/vouched":
        vouch(scope)
    if scope["path"] in ("/busy", "/vouched"):
        await BUSY[-1].wait()
    if scope["path"] == "/echo":
        await echo(receive, send)
        return
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def echo(receive: Any, send: Any) -> None:
    """What was said, as the answer; nobody is told anything who goes away in the middle."""
    body, more = b"", True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            SEEN.append("gone")
            return
        body, more = body + event["body"], event["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Serving:
    """A server that speaks our HTTP, on the test's loop, and its sockets."""

    def __init__(self) -> None:
        self.strangers = Strangers(100, 100, 100)
        self.budget = Budget(Settings().limits)
        kept = {"strangers": self.strangers, "budget": self.budget}
        protocol = type("Protocol", (HttpProtocol,), kept)
        websocket = type("WebSocket", (CountedWebSocket,), kept)
        self.listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            greet, http=protocol, ws=websocket, lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.opened: list[RawSocket] = []

    @property
    def connections(self) -> set[Any]:
        return self.server.server_state.connections

    async def open(self, limit: int = 2**16) -> RawSocket:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname()[:2], limit=limit)
        self.opened.append(RawSocket(reader, writer))
        return self.opened[-1]


@pytest.fixture
async def serving(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Serving]:
    """It may log nothing, whatever the test does to it."""
    serving = Serving()
    SEEN.clear()
    GONE.clear()
    BUSY[:] = [asyncio.Event()]
    running = asyncio.create_task(serving.server._serve([serving.listener]))
    await until(lambda: serving.server.started)
    yield serving
    BUSY[-1].set()
    for each in serving.opened:
        each.close()
    serving.server.should_exit = True
    await running
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.fixture
async def raw(serving: Serving) -> RawSocket:
    """A connection to it."""
    return await serving.open()


async def test_requests_may_follow_each_other(raw: RawSocket) -> None:
    for path in ("/", "/slow", "/"):
        await raw.send(request(path, HOST))
        assert (await raw.answer()).body == b"ok"


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
    assert answer.body.endswith(b".")
    await raw.send(b"more" * 1_000)
    assert await raw.rest(2) == b""
    assert stopwatch.least_seconds < 1


async def test_a_head_that_comes_in_small_pieces_is_bounded_too(raw: RawSocket) -> None:
    await raw.send(b"GET / HTTP/1.1\r\n")
    for number in range(99):
        await raw.send(b"X-%d: %s\r\n" % (number, b"x" * 1_000))
        await asyncio.sleep(0)
    assert (await raw.answer()).status == 431


async def test_a_body_is_no_head(raw: RawSocket) -> None:
    body = b"x" * 100_000
    await raw.send(request("/slow", HOST | {"Content-Length": str(len(body))}, "POST") + body)
    assert (await raw.answer()).status == 200


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_what_is_not_finished_in_time_is_closed(
    raw: RawSocket, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.5)
    await raw.send(request("/", HOST))
    assert (await raw.answer()).status == 200
    host, port = raw._writer.get_extra_info("peername")
    reader, writer = await asyncio.open_connection(host, port)
    late = RawSocket(reader, writer)
    await late.send(begun)
    assert await late.rest(2) == b""
    late.close()


@pytest.mark.parametrize(
    "begun", [b"", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"]
)
async def test_whoever_sends_crumbs_is_read_as_its_address_may_spend(
    serving: Serving, raw: RawSocket, begun: bytes
) -> None:
    address = serving.budget.stranger("127.0.0.1")
    await raw.send(begun + b"POST")
    await until(lambda: bool(serving.connections))
    protocol = next(iter(serving.connections))
    await until(lambda: protocol._extent.has_body if begun else protocol._extent._tail == b"POST")
    address.spend(0, 0, 1_000)
    await raw.send(b"x")
    await until(lambda: protocol.flow.is_held)
    assert protocol._data == b"x"
    raw.close()
    await until(lambda: not serving.connections)  # it is noticed when its turn comes


async def test_a_head_that_comes_at_once_waits_for_no_account(serving: Serving) -> None:
    serving.budget.stranger("127.0.0.1").spend(0, 0, 1e9)
    raw = await serving.open()
    await raw.send(GET)
    assert (await raw.answer()).body == b"ok"


async def test_a_proxy_of_ours_waits_for_none_with_a_body_either(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    believing = replace(Settings().limits, trusted_proxies=("127.0.0.0/8",))
    monkeypatch.setattr(serving.budget, "_limits", believing)
    serving.budget.stranger("127.0.0.1").spend(0, 0, 1e9)
    raw = await serving.open()
    await raw.send(request("/echo", HOST | {"Content-Length": "2"}, "POST"))
    for letter in (b"o", b"k"):
        await raw.send(letter)
    assert (await raw.answer()).body == b"ok"


async def test_whoever_was_reset_before_it_was_accepted_is_nobody(serving: Serving) -> None:
    """It has no address any more, as else only the sockets of this machine's own have none."""
    for _ in range(20):
        with socket.create_connection(serving.listener.getsockname()[:2]) as hasty:
            hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    late = await serving.open()
    await late.send(GET)
    assert (await late.answer()).body == b"ok"
    assert (serving.strangers.strangers, serving.strangers.vouched_for) == (1, 0)
    assert len(serving.connections) == 1


async def test_a_body_in_many_chunks_is_read_a_few_at_a_time(serving: Serving, raw: RawSocket) -> None:
    chunks = 5 * PIECES_AT_ONCE
    await raw.send(
        request("/echo", HOST | {"Transfer-Encoding": "chunked"}, "POST") + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n" + GET
    )
    assert (await raw.answer()).body == b"x" * chunks
    assert (await raw.answer()).body == b"ok"
    assert serving.budget.turns.waited >= 5


async def test_an_answer_that_takes_long_is_waited_for(raw: RawSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.1)
    await raw.send(request("/", HOST))
    assert (await raw.answer()).status == 200
    await raw.send(request("/slow", HOST))
    assert (await raw.answer()).status == 200


async def test_requests_that_come_at_once_are_parsed_one_by_one(serving: Serving, raw: RawSocket) -> None:
    await raw.send(request("/busy", HOST) + GET * 999)
    await until(lambda: SEEN == ["/busy"])
    (protocol,) = serving.connections
    await until(lambda: protocol.flow.read_paused)
    assert len(protocol._data) - protocol._position <= len(GET) * 999
    assert not protocol.pipeline
    BUSY[-1].set()
    for _ in range(1_000):
        assert (await raw.answer()).body == b"ok"
    assert len(SEEN) == 1_000
    await until(lambda: not protocol.flow.read_paused)
    assert protocol._data == b""
    await raw.send(GET)
    assert (await raw.answer()).body == b"ok"


async def test_what_follows_a_body_is_the_next_request_however_it_is_cut(raw: RawSocket) -> None:
    length = request("/echo", HOST | {"Content-Length": "8"}, "POST") + b"one\r\n\r\nx"
    chunks = request("/echo", HOST | {"Transfer-Encoding": "chunked"}, "POST")
    chunks += b"3\r\ntwo\r\n4;a\r\n\r\n\r\n\r\n0\r\nA: b\r\n\r\n"
    stream = (length + chunks + GET) * 3
    for size in (len(stream), 100, 7, 1):
        for position in range(0, len(stream), size):
            await raw.send(stream[position : position + size])
            await asyncio.sleep(0)
        bodies = [(await raw.answer()).body for _ in range(9)]
        assert bodies == [b"one\r\n\r\nx", b"two\r\n\r\n", b"ok"] * 3


@pytest.mark.parametrize("upgrade", ["h2c", "TLS/1.0", "foo"])
@pytest.mark.parametrize("framing", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}, {}])
async def test_an_upgrade_that_nobody_knows_is_ignored(raw: RawSocket, upgrade: str, framing: dict[str, str]) -> None:
    headers = HOST | {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQ"}
    body = {"5": b"hello", "chunked": b"5\r\nhello\r\n0\r\n\r\n"}.get("".join(framing.values()), b"")
    await raw.send(request("/echo", headers | framing, "POST"))
    await raw.send(body + GET)
    assert (await raw.answer()).body == (b"hello" if body else b"")
    assert (await raw.answer()).body == b"ok"


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
    assert (answer.status, answer.body) in [(400, b"This is no HTTP request."), (200, b"ok")]
    assert await raw.rest(2) == b""
    assert path != "/echo" or SEEN == ["/echo", "gone"]


async def test_whoever_goes_in_the_middle_of_a_body_is_gone(raw: RawSocket) -> None:
    await raw.send(request("/echo", HOST | {"Content-Length": "9"}, "POST") + b"one")
    await until(lambda: SEEN == ["/echo"])
    raw.close()
    await until(lambda: SEEN == ["/echo", "gone"])


async def test_a_body_has_a_deadline(serving: Serving, raw: RawSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.1)
    late = await serving.open()
    await late.send(request("/echo", HOST | {"Content-Length": "9"}, "POST") + b"one")
    assert await late.rest(5) == b""
    await until(lambda: SEEN == ["/echo", "gone"])
    assert serving.strangers.ended == {"late": 1}


async def test_a_long_body_has_as_long_as_it_takes_at_a_fair_pace(
    serving: Serving, raw: RawSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(http_protocol, "SLOWEST_BYTES_PER_SECOND", 10)
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
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.1)
    await raw.send(b"\r\n")
    assert await raw.rest(5) == b""


async def test_an_answer_that_is_not_read_has_a_deadline(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STUCK_SECONDS", 0.2)
    deaf = await serving.open(limit=1)
    await deaf.send(request("/large", HOST) * 3)
    await until(lambda: serving.strangers.ended["unread"] == 1 and not serving.connections)
    assert serving.strangers.strangers == 0
    assert SEEN == ["/large"]


async def test_an_answer_that_is_read_slowly_is_waited_for(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STUCK_SECONDS", 0.2)
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


async def test_all_sockets_are_counted_from_first_to_last(serving: Serving) -> None:
    opened = [await serving.open() for _ in range(5)]
    await opened[0].send(GET)
    await opened[1].send(request("/never", HANDSHAKE))
    assert (await opened[0].answer()).status == 200
    await until(lambda: serving.strangers.strangers == 5)
    for each in opened:
        each.close()
    await until(lambda: serving.strangers.strangers == 0)
    BUSY[-1].set()


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


async def test_nobody_vouches_for_a_request_that_is_not_whole(serving: Serving, raw: RawSocket) -> None:
    await raw.send(request("/vouched", HOST | {"Content-Length": "2"}, "POST") + b"x")
    await until(lambda: SEEN == ["/vouched"])
    assert (serving.strangers.vouched_for, serving.strangers.strangers) == (0, 1)
    await raw.send(b"y")
    await until(lambda: serving.strangers.vouched_for == 1)
    BUSY[-1].set()
    assert (await raw.answer()).body == b"ok"
    await until(lambda: serving.strangers.strangers == 1)
    assert serving.strangers.vouched_for == 0


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


async def test_a_head_whose_socket_is_gone_waits_for_no_turn(serving: Serving, raw: RawSocket) -> None:
    heads = serving.budget.heads("127.0.0.1")
    heads.put(Never(), is_new=True)
    heads.is_listed = True  # and yet nobody comes to it
    await raw.send(GET)
    await until(lambda: heads.waiting == 2)
    raw.close()
    await until(lambda: heads.waiting == 1)
    assert SEEN == []


class Never:
    """Work whose turn does not come."""

    def go_on(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("fields", [HOST, HOST | HANDSHAKE], ids=["request", "handshake"])
async def test_lists_that_nobody_asks_for_are_read_by_nobody(
    monkeypatch: pytest.MonkeyPatch, serving: Serving, fields: dict[str, str]
) -> None:
    seen: list[Any] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        BUSY[-1].set()
        await greet(scope, receive, send)

    monkeypatch.setattr(serving.server.config, "loaded_app", note)
    lists = {"Cookie": "a=b;" * 1_000, "Sec-WebSocket-Protocol": "a," * 4_000, "Sec-WebSocket-Extensions": "a;" * 9}
    await (await serving.open()).send(request("/busy", fields | lists))
    await until(lambda: bool(seen))
    names = {name.decode().title() for name, _ in seen[0]["headers"]}
    assert (names & {name.title() for name in lists}, seen[0].get("subprotocols", [])) == (set(), [])


@pytest.mark.parametrize(("target", "path"), [("http://a", "/"), ("http://a?b", "/"), ("http://a:1/busy/x", "/busy/x")])
@pytest.mark.parametrize("fields", [HOST, HOST | HANDSHAKE], ids=["request", "handshake"])
async def test_a_target_may_name_a_host_and_no_path(
    serving: Serving, raw: RawSocket, target: str, path: str, fields: dict[str, str]
) -> None:
    await raw.send(request(target, fields))
    await until(lambda: bool(SEEN))
    assert [path] == SEEN
    raw.close()
    await until(lambda: not serving.connections)


@pytest.mark.parametrize("target", ["http://", "x", "?a"])
async def test_a_target_that_is_none_is_no_request(raw: RawSocket, target: str) -> None:
    await raw.send(request(target, HOST))
    assert (await raw.answer()).status == 400


async def test_a_query_may_have_some_fields_and_a_handshake_any_number(serving: Serving, raw: RawSocket) -> None:
    await raw.send(request("/?" + "a&" * 127, HOST))
    assert (await raw.answer()).status == 200
    await raw.send(request("/door?" + "a&" * 3_000, HOST | HANDSHAKE))
    await until(lambda: SEEN == ["/", "/door"])
    raw.close()
    await until(lambda: not serving.connections)
