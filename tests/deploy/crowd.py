"""Many clients behind nginx, who come back as ours do; and who of them is there. Must never import the bridge.

Each keeps one connection for as long as it is let, and makes it anew after a pause that grows, or as long as it was
asked to wait. A person who polls says and hears by plain requests, and is one session of Socket.IO for each return.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.end_to_end.clients import Client, client
from tests.stopwatch import within

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0  # as aether.js
GROUP = "team"
PATIENCE_SECONDS = 60.0
POLLING = {"EIO": "4", "transport": "polling"}


class House(Protocol):
    """A deployment: nginx on a port of loopback, and whom to trust."""

    port: int
    tls: ssl.SSLContext

    def processes(self) -> list[int]: ...


class Person:
    """One client. `heard`: the texts of all that was said to it."""

    def __init__(self, house: House, credentials: Mapping[str, str], client_id: str) -> None:
        self.house = house
        self.client_id = client_id
        self.query = dict(credentials)
        self.heard: set[str] = set()
        self.is_open = False
        self._away_since = time.monotonic()
        self._pauses = 0
        self._asked_pause_seconds: float | None = None

    async def live(self) -> None:
        """Connect, hear, and come back, until cancelled."""
        while True:
            with suppress(OSError, WebSocketException, httpx.HTTPError, TimeoutError):
                await self.visit()
            await asyncio.sleep(self._pause_seconds())

    async def visit(self) -> None:
        """One connection, from its beginning to its end, within `present`."""
        raise NotImplementedError

    async def say(self, message: Mapping[str, Any]) -> None:
        raise NotImplementedError

    @contextmanager
    def present(self) -> Iterator[None]:
        """While it is connected."""
        self.is_open, self._pauses = True, 0
        try:
            yield
        finally:
            self.is_open, self._away_since = False, time.monotonic()

    @property
    def absence_seconds(self) -> float:
        """For how long it has been away. Its next pause is at most twice as long, and half a second."""
        return 0.0 if self.is_open else time.monotonic() - self._away_since

    def hear(self, said: Mapping[str, Any]) -> None:
        """Remember its text, and how long it asks to wait."""
        self.heard.add(str(said.get("msg")))
        payload = said.get("payload")
        if isinstance(payload, dict) and "retry_after_ms" in payload:
            self._asked_pause_seconds = payload["retry_after_ms"] / 1_000

    def turned_away(self, headers: Mapping[str, str]) -> None:
        """By an answer in HTTP, which may say for how long."""
        if "retry-after" in headers:
            self._asked_pause_seconds = float(headers["retry-after"])

    def _pause_seconds(self) -> float:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self._pauses)
        self._pauses = min(self._pauses + 1, 10)
        asked, self._asked_pause_seconds = self._asked_pause_seconds, None
        return (longest if asked is None else asked) * random.uniform(0.5, 1.0)


class WebSocketPerson(Person):
    """One on a WebSocket of either language."""

    def __init__(self, house: House, credentials: Mapping[str, str], client_id: str, prefix: str) -> None:
        super().__init__(house, credentials, client_id)
        self._path = f"{prefix}/group/{GROUP}/client/{client_id}?{urlencode(self.query)}"
        self._client: Client | None = None

    async def visit(self) -> None:
        try:
            async with client(self.house, self._path, host="localhost", tls=self.house.tls) as self._client:
                with self.present():
                    while True:
                        self.hear(json.loads(await self._client.connection.recv()))
        except InvalidStatus as refused:
            self.turned_away(refused.response.headers)

    async def say(self, message: Mapping[str, Any]) -> None:
        assert self._client is not None
        await self._client.say(message)


class PollingPerson(Person):
    """One that polls at the Socket.IO door. Its query names it each time, as socket.io-client's does."""

    async def visit(self) -> None:
        url = f"https://localhost:{self.house.port}/socket.io/"
        async with httpx.AsyncClient(verify=self.house.tls, timeout=40, trust_env=False) as http:
            query = self.query | POLLING | {"group_id": GROUP, "client_id": self.client_id}
            hello = self._taken(await http.get(url, params=query))
            query["sid"] = json.loads(hello[0][1:])["sid"]
            self._taken(await http.post(url, params=query, content=f"40/v3,{json.dumps(query)}"))
            with ExitStack() as presence:
                while not self._is_over(packets := self._taken(await http.get(url, params=query)), presence):
                    if "2" in packets:
                        self._taken(await http.post(url, params=query, content="3"))

    def _taken(self, answer: httpx.Response) -> list[str]:
        """The packets of an answer. Raises `httpx.HTTPError` where it is a refusal."""
        if answer.status_code != 200:
            self.turned_away(answer.headers)
        return answer.raise_for_status().text.split("\x1e")

    def _is_over(self, packets: Sequence[str], presence: ExitStack) -> bool:
        for packet in packets:
            if packet.startswith("40/v3,"):
                presence.enter_context(self.present())
            elif packet.startswith("42/v3,"):
                self.hear(json.loads(packet.removeprefix("42/v3,"))[1])
        return any(packet == "1" or packet.startswith(("41", "44")) for packet in packets)


class Crowd:
    """All of them."""

    def __init__(self, people: Sequence[Person], speaker: WebSocketPerson) -> None:
        self.people = people
        self.is_whole = False
        self._speaker = speaker
        self._markers = 0

    @property
    def number(self) -> int:
        return len(self.people)

    @property
    def number_open(self) -> int:
        return sum(person.is_open for person in self.people)

    async def look(self) -> bool:
        """See whether everybody is there and hears what one says now."""
        if self.number_open < self.number:
            return False
        self._markers += 1
        marker = f"marker {self._markers}"
        with suppress(WebSocketException):
            await self._speaker.say({"msg_type": "msg", "target": "group", "msg": marker})
            return await self._is_heard(marker)
        return False

    async def _is_heard(self, marker: str) -> bool:
        for _ in range(50):
            if all(marker in person.heard for person in self.people):
                return True
            await asyncio.sleep(0.02)
        return False

    async def back_within(self, seconds: float) -> float:
        """Wait until everybody is there and hears; after how many seconds."""
        began, self.is_whole = time.monotonic(), False
        with suppress(TimeoutError):
            async with within(seconds, self._speaker.house.processes):
                while not self.is_whole:
                    await asyncio.sleep(0.05)
                    self.is_whole = await self.look()
        return time.monotonic() - began


@asynccontextmanager
async def crowd(house: House, credentials: Mapping[str, str], websockets: int, polls: int = 0) -> AsyncIterator[Crowd]:
    """So many of each kind, all of them there."""
    people: list[Person] = [
        WebSocketPerson(house, credentials, f"client-{number}", "/ws" if number % 3 == 0 else "/v3/ws")
        for number in range(1, websockets)
    ]
    people += [PollingPerson(house, credentials, f"poller-{number}") for number in range(polls)]
    speaker = WebSocketPerson(house, credentials, "speaker", "/v3/ws")
    everyone = Crowd([*people, speaker], speaker)
    lives = [asyncio.create_task(person.live()) for person in everyone.people]
    try:
        await everyone.back_within(PATIENCE_SECONDS)
        assert everyone.is_whole
        yield everyone
    finally:
        for life in lives:
            life.cancel()
        ends = await asyncio.gather(*lives, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
