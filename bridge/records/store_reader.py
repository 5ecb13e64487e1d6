"""Reads the store of one deployment page by page, without rows that are too old for their table. It writes nothing."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.link import end_if_cancelled
from bridge.records import store
from bridge.records.retention import Table, Tables
from bridge.records.rows import MILLISECONDS_PER_DAY, Noted
from bridge.records.store import Rows, read_rows
from bridge.system.background import run_in_background


class StoreReader:
    """Reads the tables of tenants. Each method raises what redis-py raises."""

    def __init__(
        self, redis: Redis, addresses: Addresses, tables: Tables, seconds: Callable[[], float] = time.time
    ) -> None:
        """`seconds` returns the time of day, since the epoch: that of Redis, where a process knows it."""
        self.redis: Final = redis
        self.addresses: Final = addresses
        self.tables: Final = tables
        self._seconds = seconds

    async def pages(self, table: Table, tenant: str, since: int = 0) -> AsyncIterator[Rows]:
        """The rows that are not too old, noted at `since` (ms since the epoch) or later, the newest first.

        `read_rows` decodes them.
        """
        oldest = max(since, self._oldest(table))
        async for page in store.pages(self.redis, self.addresses, table, tenant, oldest):
            end_if_cancelled()
            yield page

    async def rows(self, table: Table, tenant: str) -> list[Noted]:
        """All rows of a table, decoded; only for a table with few rows."""
        rows: list[Noted] = []
        async for page in self.pages(table, tenant):
            rows += await run_in_background(lambda page: list(read_rows(page)), page)
        return rows

    async def forgotten(self, table: Table, tenant: str) -> int:
        """How many rows were deleted because of the bound of the table."""
        return await store.forgotten(self.redis, self.addresses, table, tenant, self._oldest(table))

    def milliseconds_now(self) -> int:
        """The time of day, since the epoch."""
        return round(self._seconds() * 1_000)

    def _oldest(self, table: Table) -> int:
        """The oldest time (ms since the epoch) at which a row of this table may have been noted last."""
        return self.milliseconds_now() - table.days * MILLISECONDS_PER_DAY
