"""A server that speaks our HTTP, and an application that notes who came and who went."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.sockets.ports import vouch, when_gone
from bridge.sockets.strangers import Strangers
from tests.bridge.sockets.protocols import protocols
from tests.end_to_end.raw import RawSocket, request

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
        self.listener = socket.create_server(("127.0.0.1", 0))
        classes = protocols(self.strangers, self.budget)
        config = uvicorn.Config(greet, lifespan="off", log_config=None, timeout_graceful_shutdown=1, **classes)
        self.server = uvicorn.Server(config)
        self.opened: list[RawSocket] = []

    @property
    def connections(self) -> set[Any]:
        return self.server.server_state.connections

    async def open(self, limit: int = 2**16) -> RawSocket:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname()[:2], limit=limit)
        self.opened.append(RawSocket(reader, writer))
        return self.opened[-1]
