"""A client as anyone outside would write it, on the `websockets` library. Must never import the bridge's packages."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from tests.stopwatch import within

ANSWER_SECONDS = 15.0
"""Patience and no promise: nobody waits so long but where something is amiss."""
NO_HEADERS: Mapping[str, str] = {}


class Server(Protocol):
    """Whoever listens on a port of loopback."""

    @property
    def port(self) -> int: ...


class Client:
    """One open connection of either language."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: Any) -> None:
        """A text as it is; anything else as JSON."""
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def hear_text(self) -> str:
        """The next frame, which must be text."""
        frame = await asyncio.wait_for(self.connection.recv(), ANSWER_SECONDS)
        assert isinstance(frame, str), frame
        return frame

    async def hear_anything(self) -> dict[str, Any]:
        """The next frame, which must be a JSON object."""
        heard = json.loads(await self.hear_text())
        assert isinstance(heard, dict), heard
        return heard

    async def hear(self) -> dict[str, Any]:
        """The next frame that is no JOIN or LEAVE: those come when they come."""
        while (heard := await self.hear_anything()).get("cmd") in ("JOIN", "LEAVE"):
            pass
        return heard

    async def ask(self, message: Any) -> dict[str, Any]:
        """Say something, and hear the next frame."""
        await self.say(message)
        return await self.hear()

    async def is_served(self) -> bool:
        """Whether a V3 client is still answered."""
        return (await self.ask({"msg_type": "msg", "target": "echo", "msg": "still here"})).get("msg") == "still here"

    async def close_code(self, seconds: float = ANSWER_SECONDS) -> int:
        """The code of the close frame with which the server ends this connection; 1006 where there was none."""
        try:
            async with within(seconds):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006


@asynccontextmanager
async def client(
    server: Server,
    path: str,
    *,
    host: str = "127.0.0.1",
    headers: Mapping[str, str] = NO_HEADERS,
    tls: ssl.SSLContext | None = None,
    address: str | None = None,
) -> AsyncIterator[Client]:
    """A connection to `path`, its query included; `host` is what the handshake calls the server.

    With `tls` it is encrypted, and that says whom the client trusts. `address` is where it comes from.
    """
    url = f"{'wss' if tls else 'ws'}://{host}:{server.port}{path}"
    async with connect(
        url,
        host="127.0.0.1",
        port=server.port,
        local_addr=(address, 0) if address else None,
        ssl=tls,
        additional_headers=headers,
        compression=None,
        max_size=None,
        max_queue=None,  # a client that is not asked what it heard must still see the end of its connection
        ping_interval=None,
        proxy=None,
    ) as connection:
        yield Client(connection)


async def refused(server: Server, path: str, **how: Any) -> tuple[dict[str, Any], int]:
    """What a client that is refused after the handshake hears: one frame, and the close code."""
    async with client(server, path, **how) as turned_away:
        return await turned_away.hear(), await turned_away.close_code()


async def denied(server: Server, path: str, **how: Any) -> Response:
    """The HTTP response of a handshake that fails."""
    try:
        async with client(server, path, **how) as admitted:
            raise AssertionError(f"{path} was admitted: {admitted.connection.response}")
    except InvalidStatus as invalid:
        return invalid.response


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = ANSWER_SECONDS) -> None:
    """Ask again and again until it holds: for what a bridge comes to know by itself, and tells nobody."""
    async with within(seconds):
        while not await holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)


def v3_path(group: str, client_id: str, query: str = "") -> str:
    """The V3 endpoint."""
    return f"/v3/ws/group/{group}/client/{client_id}{query and '?' + query}"
