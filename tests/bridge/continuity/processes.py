"""Processes without sockets: broker, hub and continuity as they are assembled in life, and clients that come and go.

Must never outlive the test that made them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bridge.broker.addresses import Addresses, said_on
from bridge.broker.history import HistoryOptions
from bridge.broker.message import BusMessage, said
from bridge.broker.part import Broker, BrokerOptions
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.continuity.part import Continuity, Return
from bridge.messaging.hub import Listener
from bridge.messaging.inbound import Inbound
from bridge.messaging.routing import listens_on
from bridge.records.rows import Language
from tests.bridge.broker.parts import MAX_BYTES, Answers, running, until
from v3.messages import timestamp

OPTIONS = HistoryOptions(seconds=60)
TENANT, GROUP = "acme", "team"
MOST_BYTES = 1_000_000


class Lines:
    """Renders each message as its line, and says of its V2 text that there was one."""

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        return b"".join(one.line + b"\n" for one in batch)


LINES = Lines()


class Process:
    """One process. Its wall clock is `ahead_microseconds` ahead."""

    def __init__(self, url: str, prefix: str, options: HistoryOptions = OPTIONS) -> None:
        self.ahead_microseconds = 0
        self.addresses = Addresses(prefix)
        self.inbound = Inbound(Budget(Settings().limits), self.addresses, self.microseconds)
        broker_options = BrokerOptions(url, prefix, 60, 0, MAX_BYTES, options)
        self.broker = Broker(broker_options, self.microseconds, self.inbound.deliveries.deliver, self.inbound.say_gap)
        self.inbound.redis_microseconds = self.broker.clock.microseconds
        self.continuity = Continuity(self.broker, self.inbound, options, MOST_BYTES)
        self.bus, self.subscriber = self.broker.bus, self.broker.subscriber
        self._sent_at = 0

    def microseconds(self) -> int:
        return time.time_ns() // 1_000 + self.ahead_microseconds

    async def run(self) -> None:
        async with self.broker.redis, asyncio.TaskGroup() as tasks:
            for part in (self.broker, self.continuity):
                for task in part.tasks():
                    tasks.create_task(task.run())

    @property
    def is_whole(self) -> bool:
        """Whether both links are there, and nothing is missed that was not repaired or announced."""
        return self.bus.is_up and self.subscriber.is_up and self.subscriber.notices.canary is not None

    def stamp(self) -> str:
        """A `sent_at`, later than the one before."""
        self._sent_at = max(self.microseconds(), self._sent_at + 1)
        return timestamp(self._sent_at)

    def publish(
        self, channels: Sequence[bytes], text: str, done: Callable[[Any], None], group: str = GROUP, **more: Any
    ) -> str:
        """Say it where these channels are heard, as a client of this group; returns its `sent_at`."""
        sent_at = self.stamp()
        content: Any = {"msg_type": "msg", "target": "group", "msg": text, **more}
        message = said(content, "speaker", group, sent_at)
        self.subscriber.expect(message.data, message)
        self.broker.publish([*map(said_on, channels)], message.data, done)
        return sent_at

    async def say(self, channel: bytes, text: str) -> Any:
        """Say it on a channel: how many have heard it."""
        answers = Answers()
        self.publish([channel], text, answers)
        return await answers.next()

    async def cursor(self, channels: Sequence[bytes]) -> Any:
        """The cursor of a connection that listens there."""
        answers = Answers()
        self.continuity.cursor(channels, answers)
        return await answers.next()

    async def settled(self) -> None:
        """All that was said before has been handed on here."""
        answers = Answers()
        self.continuity.handed_on.ask([self.addresses.platform_for(TENANT)], answers)
        await answers.next()


class Client:
    """One client and its connection. It remembers all that it hears, in order, over all of its connections."""

    def __init__(self, name: str = "ann", language: Language = "v3") -> None:
        self.name = name
        self.language: Language = language
        self.lines: list[dict[str, Any]] = []
        self._process: Process | None = None
        self._listener: Listener | None = None
        self._channels: list[bytes] = []

    def channels(self, process: Process) -> list[bytes]:
        return listens_on(self.language, TENANT, GROUP, self.name, process.addresses)

    def _write(self, blob: bytes) -> None:
        self.lines += map(json.loads, blob.splitlines())

    async def come(self, process: Process, since: str = "") -> None:
        """Connect, and come back if it says since when."""
        channels = self.channels(process)
        await process.subscriber.hold(channels)
        returning = await process.continuity.resume(since, channels, self.language) if since else None
        self.begin(process, channels, returning)

    def begin(self, process: Process, channels: list[bytes], returning: Return | None) -> None:
        """The connection begins, in one turn of the loop."""
        if returning is not None:
            self._write(returning.first_words(LINES, GROUP))
        wide = process.addresses.everyone_on_v2(TENANT) if self.language == "v2" else None
        self._listener = Listener(LINES, self._write, channels, wide, GROUP, self.name)
        process.inbound.hub.join(self._listener)
        self._process, self._channels = process, channels

    @property
    def connection(self) -> object:
        """The connection that is open now."""
        return self._listener

    def deafen(self) -> None:
        """It hears nothing more on its connection."""
        if self._process is not None and self._listener is not None:
            self._process.inbound.hub.leave(self._listener)

    def go(self) -> None:
        """The connection ends."""
        self.deafen()
        if self._process is not None:
            self._process.subscriber.release(self._channels)
        self.forget()

    def forget(self) -> None:
        """The connection is over, and its process has nothing more of it."""
        self._process = self._listener = None

    @property
    def texts(self) -> list[str]:
        """The words of all messages."""
        return [line["msg"] for line in self.lines if "msg" in line]

    @property
    def resumed(self) -> dict[str, Any]:
        """What it was told when it came back last."""
        told: dict[str, Any] = next(line["payload"] for line in reversed(self.lines) if line.get("cmd") == "RESUMED")
        return told

    @property
    def gaps(self) -> int:
        """How often it was told that it may have missed something."""
        return sum(line.get("cmd") == "GAP" for line in self.lines)


@asynccontextmanager
async def processes(
    number: int, url: str, prefix: str, options: HistoryOptions = OPTIONS
) -> AsyncIterator[list[Process]]:
    """So many processes, both links of each open and trusted."""
    made = [Process(url, prefix, options) for _ in range(number)]
    async with AsyncExitStack() as stack:
        for process in made:
            await stack.enter_async_context(running(process))
        for process in made:
            await until(lambda process=process: process.is_whole)  # type: ignore[misc]
        yield made


@asynccontextmanager
async def one_process(url: str, prefix: str, options: HistoryOptions = OPTIONS) -> AsyncIterator[Process]:
    """One process."""
    async with processes(1, url, prefix, options) as (process,):
        yield process
