"""What an operator asks about a tenant, read from Redis: census, ledger and history.

The same answers for the admin API and the command line. It changes nothing, and judges nothing. Of a census no more is
kept than is answered.
"""

from collections.abc import Callable
from typing import Any, Final

from bridge.records import report_rows
from bridge.records.census import Census
from bridge.records.report_turns import ReportTurns
from bridge.records.rows import Seen
from bridge.records.store import read_rows
from bridge.records.store_reader import StoreReader, milliseconds_now
from bridge.records.tables import Table
from bridge.system.background import aside
from bridge.tenants.tenant import Tenant

MOST_CLIENTS: Final = 10_000
MINUTES_PER_HOUR: Final = 60


class Reports:
    """The reports about the tenants of one deployment."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._tables = reader.tables
        self._census = Census(reader)
        self.turns: Final = ReportTurns()
        """Whoever lets others ask gives them turns; here they only get places."""

    async def census(
        self,
        tenant: Tenant,
        protocol: str | None = None,
        most: int = MOST_CLIENTS,
        line: Callable[[Seen], object] = report_rows.client_line,
    ) -> dict[str, Any]:
        """Who was seen, newest first: those who speak V2 unless a protocol, or `all`, is named. A `line` for each."""
        now = milliseconds_now()
        newest = report_rows.Newest(protocol, most, now, line)
        async with self.turns.place():
            async for clients in self._census.pages(tenant, now):
                await aside(newest.add, clients)
            return {
                "tenant": tenant.name,
                "days": self._tables.census.days,
                "total": newest.total,
                "forgotten": await self._reader.forgotten(self._tables.census, tenant.name),
                "clients": newest.lines(),
            }

    async def ledger(self, tenant: Tenant) -> dict[str, Any]:
        """Conversions by direction and outcome, and the proprietary keys.

        How often a key was said is counted; the types of its values are those that samples had, the newest first.
        """
        async with self.turns.place():
            rows = await self._reader.rows(self._tables.ledger, tenant.name)
            outcomes, keys = await aside(report_rows.ledger, rows)
            return {
                "tenant": tenant.name,
                "days": self._tables.ledger.days,
                "forgotten": await self._reader.forgotten(self._tables.ledger, tenant.name),
                "outcomes": outcomes,
                "keys": keys,
            }

    async def history(self, tenant: Tenant) -> dict[str, Any]:
        """Connections and messages by protocol, minute by minute and hour by hour, the oldest first."""
        async with self.turns.place():
            return {
                "tenant": tenant.name,
                "minutes": await self._drawn(self._tables.minutes, tenant, 1),
                "hours": await self._drawn(self._tables.hours, tenant, MINUTES_PER_HOUR),
            }

    async def _drawn(self, table: Table, tenant: Tenant, minutes: int) -> list[dict[str, Any]]:
        drawing = report_rows.Drawing(minutes)
        async for page in self._reader.pages(table, tenant.name):
            await aside(lambda page: drawing.add(read_rows(page)), page)
        return await aside(drawing.samples)
