"""The store of one deployment, read page by page; what is older than a table keeps is left out. It writes nothing."""

import time
from collections.abc import AsyncIterator
from typing import Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.link import end_if_cancelled
from bridge.records import store
from bridge.records.rows import MILLISECONDS_PER_DAY, Noted
from bridge.records.store import Rows, read_rows
from bridge.records.tables import Table, Tables
from bridge.system.background import aside


class StoreReader:
    """Reads the tables of tenants. Each method raises what redis-py raises."""

    def __init__(self, redis: Redis, addresses: Addresses, tables: Tables) -> None:
        self.redis: Final = redis
        self.addresses: Final = addresses
        self.tables: Final = tables

    async def pages(self, table: Table, tenant: str) -> AsyncIterator[Rows]:
        """The rows that still count, the newest first; `read_rows` reads them."""
        async for page in store.pages(self.redis, self.addresses, table, tenant, _oldest(table)):
            end_if_cancelled()
            yield page

    async def rows(self, table: Table, tenant: str) -> list[Noted]:
        """All rows of a table that has not many."""
        rows: list[Noted] = []
        async for page in self.pages(table, tenant):
            rows += await aside(lambda page: list(read_rows(page)), page)
        return rows

    async def forgotten(self, table: Table, tenant: str) -> int:
        """How many rows the bound of the table has made it forget."""
        return await store.forgotten(self.redis, self.addresses, table, tenant, _oldest(table))


def milliseconds_now() -> int:
    """Since the epoch."""
    return time.time_ns() // 1_000_000


def _oldest(table: Table) -> int:
    """From when on a row of this table still counts."""
    return milliseconds_now() - table.days * MILLISECONDS_PER_DAY
