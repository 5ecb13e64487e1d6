"""Clients of the Socket.IO door: python-socketio's, which nobody here wrote, and one that polls by hand.

Must never import the bridge's packages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import socketio

from tests.end_to_end.clients import ANSWER_SECONDS
from tests.servers import BridgeProcess

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
POLLING = "EIO=4&transport=polling"
NO_FIELDS: Mapping[str, Any] = {}


class Visitor:
    """One python-socketio client in one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._http = (
            aiohttp.ClientSession()
        )  # the library's own is sometimes left open: one task closes it, another opens it
        self.client = socketio.AsyncClient(reconnection=False, http_session=self._http)
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

    async def end(self) -> None:
        """Disconnect, and leave nothing behind: where the server was first, the library may still be at it."""
        await self.client.disconnect()
        await self.client.shutdown()
        engine = self.client.eio
        tasks = [task for task in (engine.read_loop_task, engine.write_loop_task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.close()

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
    visiting = Visitor(namespace)
    try:
        await visiting.client.connect(
            f"{bridge.url}/?{query}",
            transports=TRANSPORTS[transports],
            auth=auth,
            namespaces=[namespace],
            wait_timeout=ANSWER_SECONDS,
        )
        yield visiting
    finally:
        await visiting.end()


async def refusal_of(bridge: BridgeProcess, namespace: str, transports: str, **how: Any) -> dict[str, Any]:
    """What a client hears that is not let in: the data of its `connect_error`."""
    visiting = Visitor(namespace)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await visiting.client.connect(
                f"{bridge.url}/?{how.pop('query', '')}",
                transports=TRANSPORTS[transports],
                auth=how,
                namespaces=[namespace],
                wait_timeout=ANSWER_SECONDS,
            )
    except socketio.exceptions.ConnectionError:
        assert visiting.refusal["message"]
        data: dict[str, Any] = visiting.refusal["data"]
        return data
    finally:
        await visiting.end()
    raise AssertionError("it was let in")


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
