"""Clients of the Socket.IO door: python-socketio's, which nobody here wrote, and one that polls by hand.

Must never import the bridge's packages.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
import socketio
from aiohttp.connector import Connection

from tests.end_to_end.clients import ANSWER_SECONDS
from tests.servers import BridgeProcess

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
POLLING = "EIO=4&transport=polling"
NO_FIELDS: Mapping[str, Any] = {}


class Connector(aiohttp.TCPConnector):
    """Closes with itself what the library left open: an answer that it never read keeps its connection.

    At once, also over TLS: the goodbye of TLS would outlive the event loop of the test.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(ssl=True if tls is None else tls)
        self._lent: WeakSet[Connection] = WeakSet()

    async def connect(self, *asked: Any, **how: Any) -> Connection:
        connection = await super().connect(*asked, **how)
        self._lent.add(connection)
        return connection

    def close(self, **how: Any) -> Coroutine[Any, Any, None]:
        for connection in set(self._lent):
            if connection.transport is not None:
                connection.transport.abort()
            connection.close()
        return super().close(**how)


@asynccontextmanager
async def library_client(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[socketio.AsyncClient]:
    """A client of python-socketio that leaves nothing behind: where the server was first, it may still be at it."""
    # the library's own session is sometimes left open: one task closes it, another opens it
    async with aiohttp.ClientSession(connector=Connector(tls)) as http:
        client = socketio.AsyncClient(http_session=http, **{"reconnection": False, **options})
        try:
            yield client
        finally:
            with suppress(aiohttp.ClientError):
                await client.disconnect()
            await client.shutdown()
            await end_tasks(client)


async def end_tasks(client: socketio.AsyncClient) -> None:
    tasks = [task for task in (client.eio.read_loop_task, client.eio.write_loop_task) if task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Visitor:
    """One python-socketio client in one namespace."""

    def __init__(self, client: socketio.AsyncClient, namespace: str) -> None:
        self.namespace = namespace
        self.client = client
        self.refusal: dict[str, Any] = {}
        self.is_over = asyncio.Event()
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self.client.on("message", self._hear, namespace=namespace)
        self.client.on("connect_error", self._refused, namespace=namespace)
        self.client.on("disconnect", self._over, namespace=namespace)

    async def _hear(self, said: Any) -> None:
        self._heard.put_nowait(said)

    async def _refused(self, refusal: Any) -> None:
        self.refusal = refusal

    async def _over(self, *_reason: Any) -> None:
        self.is_over.set()

    async def say(self, said: Any) -> None:
        """Say it, and ask for no answer."""
        await self.client.emit("message", said, namespace=self.namespace)

    async def ask(self, said: Any) -> Any:
        """Say it; the acknowledgement."""
        return await self.client.call("message", said, namespace=self.namespace, timeout=ANSWER_SECONDS)

    async def hear_anything(self) -> Any:
        return await asyncio.wait_for(self._heard.get(), ANSWER_SECONDS)

    async def hear(self) -> Any:
        """What is said next that is no JOIN or LEAVE: those come when they come."""
        while True:
            heard = await self.hear_anything()
            if not isinstance(heard, dict) or heard.get("cmd") not in ("JOIN", "LEAVE"):
                return heard

    async def over(self, seconds: float = ANSWER_SECONDS) -> None:
        """Wait until the server has ended it."""
        await asyncio.wait_for(self.is_over.wait(), seconds)


@asynccontextmanager
async def visitor(
    bridge: BridgeProcess,
    namespace: str = "/v3",
    transports: str = "polling",
    *,
    query: str = "",
    **auth: Any,
) -> AsyncIterator[Visitor]:
    """A client that the namespace has let in; `auth` is what it sends with its CONNECT."""
    async with library_client() as client:
        visiting = Visitor(client, namespace)
        await connect(client, bridge.url, namespace, transports, query, auth)
        yield visiting


async def refusal_of(bridge: BridgeProcess, namespace: str, transports: str, **how: Any) -> dict[str, Any]:
    """What a client hears that is not let in: the data of its `connect_error`."""
    async with library_client() as client:
        visiting = Visitor(client, namespace)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await connect(client, bridge.url, namespace, transports, how.pop("query", ""), how)
        except socketio.exceptions.ConnectionError:
            assert visiting.refusal["message"]
            data: dict[str, Any] = visiting.refusal["data"]
            return data
    raise AssertionError("it was let in")


async def connect(
    client: socketio.AsyncClient, url: str, namespace: str, transports: str, query: str, auth: Any
) -> None:
    """Into one namespace of the server at `url`; `auth` is what is sent with the CONNECT."""
    await client.connect(
        f"{url}/?{query}",
        transports=TRANSPORTS[transports],
        auth=auth,
        namespaces=[namespace],
        wait_timeout=ANSWER_SECONDS,
    )


class Poller:
    """A session that polls and posts by hand, whatever the test likes."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.sid = ""

    async def begin(self, query: str = "", **headers: str) -> httpx.Response:
        """Shake hands."""
        answer = await self.http.get(f"/socket.io/?{POLLING}&{query}", headers=headers)
        if answer.status_code == 200:
            self.sid = json.loads(answer.text[1:])["sid"]
        return answer

    async def post(self, body: str | bytes) -> httpx.Response:
        return await self.http.post(f"/socket.io/?{POLLING}&sid={self.sid}", content=body)

    async def poll(self) -> httpx.Response:
        return await self.http.get(f"/socket.io/?{POLLING}&sid={self.sid}")

    async def hear(self) -> list[str]:
        """What the next poll brings."""
        answer = await self.poll()
        assert answer.status_code == 200, answer.text
        return answer.text.split("\x1e")

    async def enter(self, namespace: str = "/v3", auth: Mapping[str, Any] = NO_FIELDS) -> str:
        """Shake hands and connect; what is answered first."""
        await self.begin()
        assert (await self.post(f"40{namespace},{json.dumps(dict(auth))}")).status_code == 200
        return (await self.hear())[0]

    async def ended(self) -> float:
        """Poll until the session is over, or is not known any more; after how many seconds."""
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            while True:
                answer = await self.poll()
                if answer.status_code != 200 or answer.text.split("\x1e")[-1] == "1":
                    return asyncio.get_running_loop().time() - began


@asynccontextmanager
async def poller(bridge: BridgeProcess) -> AsyncIterator[Poller]:
    async with httpx.AsyncClient(base_url=bridge.url, timeout=60) as http:
        yield Poller(http)


def v3_ids(client_id: str, group_id: str = "talk", **more: str) -> dict[str, str]:
    return {"group_id": group_id, "client_id": client_id, **more}
