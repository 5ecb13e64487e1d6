"""The reports about a tenant for operators, read from Redis: census, ledger and history.

They are the same for the admin API and the command line. It changes nothing, and judges nothing. Of a census it keeps
no more in memory than it returns.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from bridge.records import report_rows
from bridge.records.census import Census
from bridge.records.report_turns import ReportTurns
from bridge.records.retention import Table
from bridge.records.rows import Seen
from bridge.records.store import read_rows
from bridge.records.store_reader import StoreReader
from bridge.records.whereabouts import Client, ListName
from bridge.system.background import run_in_background
from bridge.tenants.tenant import Tenant

MOST_CLIENTS: Final = 10_000
MINUTES_PER_HOUR: Final = 60


class Reports:
    """Makes the reports about the tenants of one deployment. Each method raises what redis-py raises.

    A census has at most `most` clients, with a `line` for each; its `total` counts all. Connected clients come first,
    then the others, each the newest first. `protocol`: `None` for every client that speaks V2, `all` for every client,
    or the name of one protocol.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._tables = reader.tables
        self._census = Census(reader)
        self.turns: Final = ReportTurns()
        """The caller waits for a turn if several clients can ask; the methods here only wait for a place."""

    async def census(
        self,
        tenant: Tenant,
        protocol: str | None = None,
        most: int = MOST_CLIENTS,
        line: Callable[[Seen], object] = report_rows.client_line,
    ) -> dict[str, Any]:
        """The clients that were seen. For the arguments see the class."""
        now = self._reader.milliseconds_now()
        newest = report_rows.Newest(protocol, most, now, line)
        async with self.turns.place():
            async for clients in self._census.pages(tenant, now):
                await run_in_background(newest.add, clients)
            return {
                "tenant": tenant.name,
                "days": self._tables.census.days,
                "total": newest.total,
                "forgotten": await self._reader.forgotten(self._tables.census, tenant.name),
                "clients": newest.lines(),
            }

    async def whereabouts(
        self, tenant: Tenant, name: ListName, most: int = MOST_CLIENTS, *, in_words: bool = False
    ) -> dict[str, Any]:
        """The clients of one list of `whereabouts.py`, and how many are in each. `in_words`: as encoded JSON."""
        async with self.turns.place():
            found = await self._census.whereabouts(tenant, self._reader.milliseconds_now())
            counts, listed = await run_in_background(lambda: (found.counts, found.listed(name)[:most]))
            tables = (self._tables.census, self._tables.refused, self._tables.strangers)
            return {
                "tenant": tenant.name,
                "days": self._tables.census.days,
                "list": name,
                "total": counts[name],
                "counts": counts,
                "forgotten": sum([await self._reader.forgotten(table, tenant.name) for table in tables]),
                "clients": await run_in_background(list, map(_line_of(name, in_words=in_words), listed)),
            }

    async def moved_since(self, tenant: Tenant, since: int) -> list[Client]:
        """The clients that were moved at `since` (ms since the epoch) or later, as they are now.

        While none of them has knocked again, this reads only their refusals: none is told apart as arrived then.
        """
        return await self._census.moved_since(tenant, since, self._reader.milliseconds_now())

    async def ledger(self, tenant: Tenant) -> dict[str, Any]:
        """Conversions by direction and outcome, and the proprietary keys.

        Every use of a key is counted. Only samples of its values were looked at: their types, the newest first.
        """
        async with self.turns.place():
            rows = await self._reader.rows(self._tables.ledger, tenant.name)
            outcomes, keys = await run_in_background(report_rows.ledger, rows)
            return {
                "tenant": tenant.name,
                "days": self._tables.ledger.days,
                "forgotten": await self._reader.forgotten(self._tables.ledger, tenant.name),
                "outcomes": outcomes,
                "keys": keys,
            }

    async def history(self, tenant: Tenant) -> dict[str, Any]:
        """Connections and messages by protocol, for each minute and for each hour, the oldest first."""
        async with self.turns.place():
            return {
                "tenant": tenant.name,
                "minutes": await self._drawn(self._tables.minutes, tenant, 1),
                "hours": await self._drawn(self._tables.hours, tenant, MINUTES_PER_HOUR),
            }

    async def _drawn(self, table: Table, tenant: Tenant, minutes: int) -> list[dict[str, Any]]:
        history = report_rows.HistoryBuilder(minutes)
        async for page in self._reader.pages(table, tenant.name):
            await run_in_background(lambda page: history.add(read_rows(page)), page)
        return await run_in_background(history.samples)


def _line_of(name: ListName, *, in_words: bool) -> Callable[[Client], object]:
    """What makes a line of a client in this list: a JSON object, or its encoded text."""
    line = report_rows.turned_away_line if name == "turned_away" else report_rows.whereabouts_line
    return (lambda client: json.dumps(line(client)).encode()) if in_words else line
