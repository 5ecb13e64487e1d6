"""The servers that these tests speak to."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from bridge.runtime.server import SEND_BUFFER_BYTES
from bridge.sockets import websocket_closing
from tests.bridge.broker.parts import until
from tests.bridge.sockets.http_server import BUSY, GONE, SEEN, Serving
from tests.bridge.sockets.websocket_server import House, entered, served
from tests.end_to_end.raw import RawSocket


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


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def listener() -> socket.socket:
    """What it accepts has a bounded send buffer, as in our server."""
    created = socket.create_server(("127.0.0.1", 0))
    created.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return created


@pytest.fixture
async def port(house: House, listener: socket.socket) -> AsyncIterator[int]:
    async with served(house, listener):
        yield listener.getsockname()[1]


@pytest.fixture
async def guest(port: int, house: House) -> AsyncIterator[RawSocket]:
    async with entered(port) as opened:
        yield opened


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_closing, "FLUSH_SECONDS", 0.3)
    monkeypatch.setattr(websocket_closing, "LINGER_SECONDS", 0.3)
