"""An operator's desk with no process around it: records, reports and changes on a real Redis. It judges nothing.

What a process would have noted is noted by the test, at times of its own choosing.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.cutover.cutover import Cutover
from bridge.records import store
from bridge.records.reports import Reports
from bridge.records.retention import Table, Tables
from bridge.records.rows import Conversion, Noted, Row, Speech, Visitor
from bridge.records.store import read_rows
from bridge.records.store_reader import StoreReader
from tests.bridge.broker.parts import Answers, running_bus

DAY: Final = 86_400_000
"""Milliseconds."""
TENANT: Final = "acme"


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Clock:
    """A clock that a test may set forward."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def seconds(self) -> float:
        return time.time() + self.ahead_seconds

    @property
    def milliseconds(self) -> int:
        return int(self.seconds() * 1_000)


class Desk:
    """Everything that an operator asks, and what the answers are made from."""

    def __init__(self, redis: Redis, bus: Bus, addresses: Addresses) -> None:
        self.redis = redis
        self.bus = bus
        self.addresses = addresses
        self.tables = Tables.bounded(100_000, 35)
        reader = StoreReader(redis, addresses, self.tables)
        self.reports = Reports(reader)
        self.cutover = Cutover(reader, self.reports.turns, has_records=True)
        self.changes = self.cutover.changes
        self.guards = self.cutover.guards
        self.dry_run = self.cutover.dry_run

    async def note(self, table: Table, *rows: Noted) -> None:
        """Redis holds them when it returns."""
        failed = Answers()
        store.note(self.bus, self.addresses, table, TENANT, rows, failed)
        await self.settled()
        assert failed.empty()

    async def made_at(self, at: int) -> None:
        """The newest line of the tenant's record was taken by Redis at this time (ms since the epoch)."""
        record = self.addresses.record(TENANT)
        lines: Any = await self.redis.xrange(record)
        *earlier, (_, fields) = lines
        await self.redis.delete(record)
        for name, line in [*earlier, (f"{at}-0", fields)]:
            await self.redis.xadd(record, line, id=name)

    async def settled(self) -> None:
        """Redis has done what it was asked, also a script that it had to be sent whole."""
        for _ in range(2):
            await self.bus.wait_until_answered()

    async def noted(self, table: Table, since: int = 0) -> list[Noted]:
        """What a table holds, the newest first."""
        pages = store.pages(self.redis, self.addresses, table, TENANT, since)
        return [row async for page in pages for row in read_rows(page)]

    async def met(self, visitor: Visitor, first: int, last: int, messages: int = 0, user_agent: str = "") -> None:
        """A client was there."""
        await self.note(self.tables.census, Noted(visitor.key(), first, last, messages, user_agent))

    async def spoken(self, speech: Speech, first: int, last: int, times: int = 1) -> None:
        """Something was said."""
        await self.note(self.tables.speeches, Noted(speech.key(), first, last, times))

    async def converted(self, outcome: str, times: int, at: int, direction: str = "v2_to_v3") -> None:
        """Messages crossed; `at` says on which day."""
        day = time.strftime("%Y-%m-%d", time.gmtime(at / 1_000))
        await self.note(self.tables.ledger, noted(Conversion(direction, outcome, day), at, times))


def noted(row: Row, at: int, times: int = 1) -> Noted:
    """A row that was noted at one moment."""
    return Noted(row.key(), at, at, times)


def v2(client_id: str | None, group: str = "lobby", user_agent: str = "") -> Visitor:
    """A client of V2, by the ids of its path."""
    return Visitor("v2", "v2", client_id, group, user_agent)


def v3(client_id: str, group: str = "lobby") -> Visitor:
    """A client of V3."""
    return Visitor("v3", "v3", client_id, group)


def moment(milliseconds: int) -> str:
    """Milliseconds since the epoch as the admin API says a time."""
    seconds, rest = divmod(milliseconds, 1_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03}000Z"


@asynccontextmanager
async def at_a_desk(url: str, prefix: str) -> AsyncIterator[Desk]:
    """A desk at this Redis."""
    async with Redis.from_url(url, protocol=2) as redis, running_bus(url) as bus:
        yield Desk(redis, bus, Addresses(prefix))
