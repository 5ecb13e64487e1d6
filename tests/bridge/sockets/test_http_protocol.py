"""A connection before it becomes a WebSocket: what is too large, too slow, or not meant for us gets an answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from bridge.sockets import http_protocol
from bridge.sockets.http_protocol import HttpProtocol
from tests.bridge.broker.parts import until
from tests.end_to_end.raw import HANDSHAKE, RawSocket, request
from tests.stopwatch import Stopwatch

HOST = {"Host": "127.0.0.1"}


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers everything, slowly where it is asked to."""
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def raw() -> AsyncIterator[RawSocket]:
    """A connection to a server that speaks our HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(greet, http=HttpProtocol, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started)
    reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
    opened = RawSocket(reader, writer)
    yield opened
    opened.close()
    server.should_exit = True
    await serving


async def test_requests_may_follow_each_other(raw: RawSocket) -> None:
    for path in ("/", "/slow", "/"):
        await raw.send(request(path, HOST))
        assert (await raw.answer()).body == b"ok"


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/" + "x" * 8_200, HOST, 414),
        ("/", HOST | {"X-Large": "x" * 8_200}, 431),
        ("/", HOST | {f"X-{number}": "x" for number in range(100)}, 431),
        ("/", HANDSHAKE | {"Sec-WebSocket-Version": "8"}, 426),
        ("/", {"Host": "x\x00y"}, 400),
    ],
    ids=["line", "header", "headers", "version", "no header"],
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
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.2)
    await raw.send(request("/", HOST))
    assert (await raw.answer()).status == 200
    host, port = raw._writer.get_extra_info("peername")
    reader, writer = await asyncio.open_connection(host, port)
    late = RawSocket(reader, writer)
    await late.send(begun)
    assert await late.rest(2) == b""
    late.close()


async def test_an_answer_that_takes_long_is_waited_for(raw: RawSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.1)
    await raw.send(request("/", HOST))
    assert (await raw.answer()).status == 200
    await raw.send(request("/slow", HOST))
    assert (await raw.answer()).status == 200
