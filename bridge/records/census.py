"""The census of a tenant: the clients that were seen, read from the store, and which of them are connected now.

A census can have more than 100,000 rows. It is read page by page, and no page is kept; of each client only what
`whereabouts.py` needs is.
"""

from collections.abc import AsyncIterator
from typing import Final

from bridge.records import report_rows
from bridge.records.retention import Table
from bridge.records.rows import Seen
from bridge.records.store import read_rows
from bridge.records.store_reader import StoreReader
from bridge.records.whereabouts import Client, Whereabouts
from bridge.system.background import run_in_background
from bridge.tenants.tenant import Tenant

GROUPS_PER_COMMAND: Final = 100
HOLDERS_PER_GROUP: Final = 1_000


class Census:
    """Reads the census of each tenant of one deployment."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader

    async def pages(self, tenant: Tenant, now: int) -> AsyncIterator[list[Seen]]:
        """All clients, the newest first. A connected client counts as last seen at `now` (ms since the epoch)."""
        asked: set[str] = set()
        here: report_rows.Here = {}
        async for page in self._reader.pages(self._reader.tables.census, tenant.name):
            rows = await run_in_background(lambda page: report_rows.visitors(read_rows(page)), page)
            groups = {report_rows.group_of(visitor, tenant) for _, visitor in rows} - asked
            asked |= groups
            here |= await self._present(tenant, groups)
            yield await run_in_background(report_rows.seen_until, rows, tenant, here, now)

    async def whereabouts(self, tenant: Tenant, now: int) -> Whereabouts:
        """Where all clients are at `now` (ms since the epoch)."""
        found, tables = Whereabouts(tenant), self._reader.tables
        for table in (tables.refused, tables.strangers):
            await self._refuse(found, table, tenant)
        await self._see(found, tenant, now)
        return found

    async def moved_since(self, tenant: Tenant, since: int, now: int) -> list[Client]:
        """The clients that were moved at `since` or later, and where they are at `now` (ms since the epoch)."""
        found = Whereabouts(tenant)
        await self._refuse(found, self._reader.tables.refused, tenant, since)
        if any(client.knocks for client in found.moved_since(since)):
            await self._see(found, tenant, now)
        return found.moved_since(since)

    async def _refuse(self, found: Whereabouts, table: Table, tenant: Tenant, since: int = 0) -> None:
        async for page in self._reader.pages(table, tenant.name, since):
            await run_in_background(lambda page: found.refuse(read_rows(page)), page)

    async def _see(self, found: Whereabouts, tenant: Tenant, now: int) -> None:
        async for clients in self.pages(tenant, now):
            await run_in_background(found.see, clients)

    async def _present(self, tenant: Tenant, groups: set[str]) -> report_rows.Here:
        """The connected clients."""
        here: report_rows.Here = {}
        names = sorted(groups)
        for start in range(0, len(names), GROUPS_PER_COMMAND):
            chunk, first = names[start : start + GROUPS_PER_COMMAND], 0
            while chunk:
                answers = await self._holders(tenant, chunk, first)
                here |= await run_in_background(report_rows.holders, chunk, answers)
                chunk = [group for group, found in zip(chunk, answers, strict=True) if len(found) == HOLDERS_PER_GROUP]
                first += HOLDERS_PER_GROUP
        return here

    async def _holders(self, tenant: Tenant, groups: list[str], first: int) -> list[list[bytes]]:
        """Up to `HOLDERS_PER_GROUP` holders of each group, from index `first` on; none if the key has another type."""
        addresses = self._reader.addresses
        async with self._reader.redis.pipeline(transaction=False) as pipeline:
            for group in groups:
                pipeline.zrange(addresses.holders(tenant.name, group), first, first + HOLDERS_PER_GROUP - 1)
            answers = await pipeline.execute(raise_on_error=False)
        return [answer if isinstance(answer, list) else [] for answer in answers]
