"""A backend as anyone outside would write it: it reads server-sent events, as the HTML standard has them.

Must never import the bridge's packages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NamedTuple

import httpx

from tests.end_to_end.clients import ANSWER_SECONDS, Server
from tests.end_to_end.configuration import api_key
from tests.stopwatch import within

PATH = "/v3/events"
SHORTEST_SECONDS, LONGEST_SECONDS = 0.01, 0.15
"""How long a restless backend listens before it is cut off."""


class Event(NamedTuple):
    """One event: its name, its data, and the id that was the last then."""

    name: str
    data: dict[str, Any]
    id: str

    @property
    def msg(self) -> str:
        return str(self.data["msg"])


class Parser:
    """Bytes in, events out. Keeps the last id and the time after which to return, over all streams of a backend."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments = 0
        self._rest = b""

    def begin(self) -> None:
        """Another stream: what was not whole is lost."""
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        return [event for event in map(self._event, blocks) if event is not None]

    def _event(self, block: bytes) -> Event | None:
        name, data = "message", ""
        for line in block.decode().split("\n"):
            field, _, value = line.partition(": ")
            match field:
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry_ms = int(value)
                case "event":
                    name = value
                case "data":
                    data += value
                case _:
                    assert line.startswith(":"), line
                    self.comments += 1
        return Event(name, json.loads(data), self.last_id) if data else None


class NotServed(Exception):
    """It is to come back after a pause."""


class Backend:
    """One stream that is open."""

    def __init__(self, response: httpx.Response, parser: Parser) -> None:
        self.response = response
        self.parser = parser
        self._chunks = response.aiter_raw()
        self._events: list[Event] = []

    async def event(self) -> Event | None:
        """The next event; `None` at the end of the stream."""
        while not self._events:
            data = await anext(self._chunks, None)
            if data is None:
                return None
            self._events += self.parser.feed(data)
        return self._events.pop(0)

    async def hear(self) -> Event:
        """The next event that is no JOIN or LEAVE."""
        async with within(ANSWER_SECONDS):
            while (event := await self.event()) is not None:
                if event.data.get("cmd") not in ("JOIN", "LEAVE"):
                    return event
        raise AssertionError("the stream has ended")

    async def until_placed(self) -> None:
        """It can return, and miss nothing; what comes before that is still to be heard."""
        async with within(ANSWER_SECONDS):
            while self.parser.last_id in ("", "@0"):
                data = await anext(self._chunks)
                self._events += self.parser.feed(data)


@asynccontextmanager
async def listening(
    server: Server, query: str = "", name: str | None = None, parser: Parser | None = None
) -> AsyncIterator[Backend]:
    """A stream that can be returned to. With a `parser` it goes on from where that stopped; `name` is of a key."""
    parser = parser or Parser()
    parser.begin()
    headers = {"Last-Event-ID": parser.last_id} if parser.last_id else {}
    if name is not None:
        headers["X-Api-Key"] = api_key(name)
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http,
        http.stream("GET", f"{PATH}?{query}", headers=headers) as response,
    ):
        if response.status_code == 503:
            raise NotServed
        assert response.status_code == 200, await response.aread()
        backend = Backend(response, parser)
        if "Last-Event-ID" not in headers:
            await backend.until_placed()
        yield backend


class Restless:
    """A backend that is cut off at random moments, and returns to any of its servers."""

    def __init__(self, servers: Sequence[Server], query: str, seed: int) -> None:
        self._servers = servers
        self._query = query
        self._chance = Random(seed)
        self._parser = Parser()
        self._changed = asyncio.Event()
        self.heard: list[Event] = []
        self.begun = asyncio.Event()
        """It is listening, and can return."""
        self.returns = -1

    async def listen(self) -> None:
        """Until cancelled."""
        while True:
            self.returns += 1
            self._changed.set()
            with contextlib.suppress(NotServed, TimeoutError):
                async with listening(self._chance.choice(self._servers), self._query, parser=self._parser) as backend:
                    self.begun.set()
                    async with asyncio.timeout(self._chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)):
                        while (event := await backend.event()) is not None:
                            self.heard.append(event)
                            self._changed.set()

    async def until_heard(self, number: int) -> None:
        """Wait until it has heard so many."""
        await self._until(lambda: len(self.heard) >= number)

    async def until_returned(self, times: int) -> None:
        """Wait until it has returned so often."""
        await self._until(lambda: self.returns >= times)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with within(2 * ANSWER_SECONDS):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
