"""Clients of Socket.IO come back by themselves when a process stops.

With npm's client of today and of yesterday, and both clients of python-socketio, over each transport.
"""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import pytest
import socketio

from tests.conftest import StartBridge
from tests.end_to_end.clients import ANSWER_SECONDS
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.javascript import node
from tests.end_to_end.socketio_clients import TRANSPORTS, library_client, v3_ids
from tests.servers import BridgeProcess

CONFIG = QUIET
SOON: dict[str, Any] = {"reconnection_delay": 0.2, "reconnection_delay_max": 0.4}
by_each_transport = pytest.mark.parametrize("transports", TRANSPORTS)


async def restart(bridge: BridgeProcess) -> None:
    assert await asyncio.to_thread(bridge.terminate) == 0
    await asyncio.to_thread(bridge.start)


@by_each_transport
@pytest.mark.parametrize("package", ["socket.io-client", "socket.io-client-3"])
async def test_javascripts_client_comes_back(bridge: StartBridge, package: str, transports: str) -> None:
    running = bridge("--socketio", config=CONFIG)
    async with node(package) as scripts:
        script = await scripts.connected(running, "/v3", transports, **v3_ids("io"))
        await restart(running)
        assert await script.until("disconnect") in ("transport close", "transport error")
        await script.until("connect")
        assert (await script.ask({"msg_type": "msg", "target": "echo"}))["ok"]


@by_each_transport
async def test_pythons_asynchronous_client_comes_back(bridge: StartBridge, transports: str) -> None:
    running = bridge("--socketio", config=CONFIG)
    async with library_client(reconnection=True, **SOON) as client:
        events = asyncio.Queue[str]()
        client.on("connect", lambda: events.put_nowait("connect"), namespace="/v3")
        client.on("disconnect", lambda *_: events.put_nowait("disconnect"), namespace="/v3")
        await client.connect(running.url, transports=TRANSPORTS[transports], auth=v3_ids("io"), namespaces=["/v3"])
        await restart(running)
        for expected in ("connect", "disconnect", "connect"):
            assert await asyncio.wait_for(events.get(), 2 * ANSWER_SECONDS) == expected


async def test_pythons_synchronous_client_comes_back(bridge: StartBridge) -> None:
    """By polls: for a WebSocket it needs another package, and ends there as it does here."""
    running = bridge("--socketio", config=CONFIG)
    client, events = socketio.Client(**SOON), queue.Queue[str]()
    client.on("connect", lambda: events.put("connect"), namespace="/v3")
    client.on("disconnect", lambda *_: events.put("disconnect"), namespace="/v3")
    await asyncio.to_thread(client.connect, running.url, transports=["polling"], auth=v3_ids("io"), namespaces=["/v3"])
    try:
        await restart(running)
        for expected in ("connect", "disconnect", "connect"):
            assert await asyncio.to_thread(events.get, timeout=2 * ANSWER_SECONDS) == expected
    finally:
        await asyncio.to_thread(client.disconnect)
