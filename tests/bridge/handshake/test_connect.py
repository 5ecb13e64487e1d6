"""The moment in which a socket becomes a connection. Who may come in is in `tests/end_to_end/`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI

from bridge.config.settings import Settings
from bridge.runtime.app import create_app
from bridge.runtime.process import Process
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from v3.messages import write

SLOW_SECONDS = 0.01


class SlowServer:
    """An ASGI server that takes its time to send the 101, and then its client stays for as long as it is wanted."""

    def __init__(self) -> None:
        self.accepted_at = 0.0
        self.sent: list[str] = []
        self.meanwhile: Callable[[], Awaitable[object]] = partial(asyncio.sleep, SLOW_SECONDS)
        """What happens before the 101 is sent."""
        self.is_over = asyncio.Event()
        self._events = [{"type": "websocket.connect"}]

    async def receive(self) -> dict[str, Any]:
        if self._events:
            return self._events.pop()
        await self.is_over.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(self, event: Any) -> None:
        if event["type"] == "websocket.accept":
            self.accepted_at = time.time()
            await self.meanwhile()
        elif event["type"] == "websocket.send":
            self.sent.append(event["text"])


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[FastAPI]:
    app = create_app(Settings(prefix=prefix, presence_events_members=0), redis_url)
    async with app.router.lifespan_context(app):
        yield app


async def serve(app: FastAPI, server: SlowServer) -> None:
    path = "/v3/ws/group/team/client/ann"
    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
    await app({**scope, "scheme": "ws", "subprotocols": []}, server.receive, server.send)


async def test_what_comes_while_the_server_is_still_opening_is_not_lost(app: FastAPI) -> None:
    process: Process = app.state.process
    server = SlowServer()
    heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def speak() -> None:
        line = write(
            {"msg_type": "msg", "target": "group", "msg": "early"}, "ben", "team", "2026-01-02T03:04:05.000006Z"
        )
        process.bus.publish([process.addresses.group("default", "team")], line, heard.set_result)
        assert await heard == 1
        await until(lambda: process.hub.deliveries)

    server.meanwhile = speak
    async with asyncio.timeout(ANSWER_SECONDS):
        serving = asyncio.create_task(serve(app, server))
        await until(lambda: server.sent)
        server.is_over.set()
        await serving
    assert [json.loads(text)["msg"] for text in server.sent] == ["early"]


async def test_whoever_is_let_in_counts_as_listening_before_it_can_know(app: FastAPI) -> None:
    """Or what is said to it at once would be missing from a dry run."""
    process: Process = app.state.process
    server, asked_at = SlowServer(), time.time()
    begun: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    process.connections.begun.add(begun.set_result)
    async with asyncio.timeout(ANSWER_SECONDS):
        serving = asyncio.create_task(serve(app, server))
        connection = await begun
        server.is_over.set()
        await serving
    assert asked_at <= connection.facts.hears_since <= server.accepted_at
    assert connection.over.done()
