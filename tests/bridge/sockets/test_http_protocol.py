"""A connection before it becomes a WebSocket: its requests are read one by one, each with its answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import replace
from typing import Any

import pytest

from bridge.config.settings import Settings
from bridge.sockets import request_deadline
from bridge.sockets.http_protocol import PIECES_AT_ONCE
from tests.bridge.broker.parts import until
from tests.bridge.sockets.http_server import BUSY, GET, HOST, SEEN, Serving, greet
from tests.end_to_end.raw import HANDSHAKE, RawSocket, request


async def test_requests_may_follow_each_other(raw: RawSocket) -> None:
    for path in ("/", "/slow", "/"):
        await raw.send(request(path, HOST))
        assert (await raw.answer()).body == b"ok"


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


async def test_a_head_whose_socket_is_gone_waits_for_no_turn(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_deadline, "REQUEST_SECONDS", 1.0)  # nothing is read, so it is noticed then
    raw = await serving.open()
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
    assert names & {name.title() for name in lists} <= {"Sec-Websocket-Protocol"}
    offered = [value for name, value in seen[0]["headers"] if name == b"sec-websocket-protocol"]
    assert offered + seen[0].get("subprotocols", []) in ([b"a"], [b"a", "a"])  # the first alone is ever used


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
