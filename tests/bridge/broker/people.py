"""Processes that hold presence, each with its own link to Redis, and somebody who listens to what they say of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.leases import Leases
from bridge.broker.link import pool
from bridge.broker.presence import Place, Presence
from bridge.broker.presence_events import PresenceEvents
from bridge.broker.subscriber import Subscriber
from tests.bridge.broker.parts import ANSWER_SECONDS, ARRIVED_AT, MAX_BYTES, Answers, Ear, message, running

TENANT, GROUP = "acme", "team"
HOUR_SECONDS = 3_600


def place(client: str, protocol: Any = "v3", group: str = GROUP) -> Place:
    return Place(TENANT, group, client, protocol)


class Process:
    """The presence of one process. `run` is everything that goes on by itself in it."""

    def __init__(self, url: str, prefix: str, name: str, lifetime_seconds: float, most_members: int) -> None:
        self.name = name
        self.addresses = Addresses(prefix)
        self.bus = Bus(pool(url, f"test-{name}"), self.addresses.probe)
        self.events = PresenceEvents(self.bus, self.addresses, microseconds, most_members, None)
        self.presence = Presence(self.bus, self.addresses, name, self.events, microseconds, lifetime_seconds)
        self.leases = Leases(self.bus, self.addresses, name, self.presence)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for part in (self.bus, self.presence, self.leases):
                tasks.create_task(part.run())

    async def enter(self, *places: Place) -> None:
        """Redis has answered when it returns."""
        entered = Answers()
        for each in places:
            self.presence.enter(each, entered)
        for _ in places:
            await entered.next()

    async def leave(self, *places: Place) -> None:
        for each in places:
            self.presence.leave(each)
        await self.settled()

    async def refresh(self, *places: Place) -> None:
        for each in places:
            self.presence.refresh(each)
        await self.settled()

    async def settled(self) -> None:
        """Redis has answered everything, also what it was asked in answer to an answer."""
        for _ in range(3):
            await self.bus.wait_until_answered()

    async def members(self, group: str = GROUP) -> list[tuple[str, str]]:
        """Client and protocol of each."""
        answers = Answers()
        self.presence.members(TENANT, group, answers)
        return [(member["client_id"], member["protocol"]) for member in json.loads(await answers.next())]

    async def clients(self, group: str = GROUP) -> list[str]:
        return [client for client, _ in await self.members(group)]


def microseconds() -> int:
    return time.time_ns() // 1_000


@asynccontextmanager
async def running_process(
    url: str, prefix: str, name: str = "p1", lifetime_seconds: float = HOUR_SECONDS, most_members: int = 200
) -> AsyncIterator[Process]:
    process = Process(url, prefix, name, lifetime_seconds, most_members)
    async with running(process):
        assert await process.bus.wait_until_up(ANSWER_SECONDS)
        yield process


class Witness:
    """Listens to one group, and remembers JOIN and LEAVE."""

    def __init__(self, url: str, prefix: str, group: str = GROUP, tenant: str = TENANT) -> None:
        self._channel = Addresses(prefix).group(tenant, group)
        self._ear = Ear()
        self._fences = count()
        self._heard: deque[Any] = deque()
        self.subscriber = Subscriber(
            pool(url, "test-witness"), self._ear.deliver, self._ear.gaps, lambda: ARRIVED_AT, MAX_BYTES
        )

    async def run(self) -> None:
        await self.subscriber.run()

    async def begin(self) -> None:
        await self.subscriber.hold([self._channel])

    async def next(self) -> dict[str, Any]:
        """The next message, whole."""
        while not self._heard:
            _, batch = await asyncio.wait_for(self._ear.batches.get(), ANSWER_SECONDS)
            self._heard.extend(json.loads(one.line) for one in batch)
        return dict(self._heard.popleft())

    async def event(self) -> tuple[str, str]:
        """The next event: what, and of whom."""
        said = await self.next()
        return said.get("cmd", ""), said["from_id"]

    async def heard_of(self, *processes: Process) -> list[tuple[str, str]]:
        """Everything said until now: event and client, in order."""
        for process in processes:
            await process.settled()
            process.events.flush()
            await process.settled()
        fence = f"fence {next(self._fences)}"
        processes[0].bus.publish([self._channel], message(fence), Answers())
        events: list[tuple[str, str]] = []
        while (said := await self.next()).get("msg") != fence:
            events.append((said.get("cmd", ""), said["from_id"]))
        return events


@asynccontextmanager
async def witnessing(url: str, prefix: str, group: str = GROUP, tenant: str = TENANT) -> AsyncIterator[Witness]:
    witness = Witness(url, prefix, group, tenant)
    async with running(witness):
        await witness.begin()
        yield witness
