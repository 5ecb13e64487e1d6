"""A server that speaks our WebSocket protocol, and an application that lets its guests in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from bridge.budget.accounts import Holder
from bridge.sockets.framing import text_frame
from bridge.sockets.ports import ASGI_EXTENSION
from tests.bridge.broker.parts import until
from tests.bridge.sockets.protocols import protocols
from tests.end_to_end.raw import HANDSHAKE, RawSocket, request

PATH = "/"
ANSWER_SECONDS = 15.0


class Guest:
    """A connection as its socket sees it: it notes everything, and answers a refusal as a session does."""

    def __init__(self) -> None:
        self.wire: Any = None
        self.holder = Holder()
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.pongs = 0
        self.losses = 0
        self.has_taken_all = False
        self.reads_binary = True
        self.over = asyncio.Event()

    def receive(self, text: str) -> None:
        if text == "fail":
            raise ZeroDivisionError
        self.texts.append(text)

    def refuse(self, code: str) -> None:
        self.refusals.append(code)
        self.wire.write(text_frame(b"ERROR"))
        self.wire.begin_close(4000, code)

    def alive(self) -> None:
        self.pongs += 1

    def taken_all(self) -> None:
        self.has_taken_all = True

    def lost(self) -> None:
        self.losses += 1
        self.over.set()


class House:
    """An application that lets each guest in when it is told to, and hands the wire over."""

    def __init__(self) -> None:
        self.guest = Guest()
        self.knocked = asyncio.Event()
        self.may_enter = asyncio.Event()
        self.may_enter.set()

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "websocket":
            return
        assert (await receive())["type"] == "websocket.connect"
        self.guest.wire = scope["extensions"][ASGI_EXTENSION]
        self.knocked.set()
        await self.may_enter.wait()
        try:
            await send({"type": "websocket.accept"})
        finally:
            self.guest.wire.attach(self.guest)


@asynccontextmanager
async def served(app: Any, listener: socket.socket, **settings: Any) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app, lifespan="off", timeout_graceful_shutdown=1, log_config=None, access_log=False, **protocols(**settings)
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawSocket]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    opened = RawSocket(reader, writer)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def entered(port: int) -> AsyncIterator[RawSocket]:
    async with connected(port) as opened:
        await opened.upgrade(PATH)
        yield opened


async def echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    """An application that knows nothing of wires."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


async def closing(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
    """An application that accepts, says why, and closes: as our doors refuse."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "no"})
    await send({"type": "websocket.close", "code": 4401, "reason": "unauthenticated"})


async def flood(client: RawSocket, frames: bytes) -> None:
    while True:
        await client.send(frames)


@asynccontextmanager
async def slow_reader(port: int) -> AsyncIterator[socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.setblocking(False)
        await loop.sock_connect(silent, ("127.0.0.1", port))
        await loop.sock_sendall(silent, request(PATH, HANDSHAKE))
        yield silent
