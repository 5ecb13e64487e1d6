"""Writes the records to Redis: each second it has all counts noted as rows, and adds the rows to the store.

No caller waits for it. Rows that Redis did not confirm are sent again in the next second: they may be counted twice,
but they are not lost. `backlog.py` bounds how many rows wait.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.records import store
from bridge.records.backlog import ROWS_PER_STEP, Backlog
from bridge.records.retention import Table
from bridge.records.rows import Noted
from bridge.system.observers import Observers

WRITE_SECONDS: Final = 1.0


class RowSource(Protocol):
    """A part that counts in memory, and notes its counts as rows of the backlog."""

    def note_rows(self) -> Iterator[None]:
        """Note the counts in steps; messages have their turn between two steps."""


class Writer:
    """Writes the rows of one process. If nothing is to be recorded (`Backlog.is_kept`), it writes nothing."""

    def __init__(self, bus: Bus, addresses: Addresses, backlog: Backlog, *sources: RowSource) -> None:
        self._bus = bus
        self._addresses = addresses
        self._backlog = backlog
        self._sources = list(sources)
        self.lost: Final = Observers[[str, str]]()
        """Called with a tenant and the name of a table whose earlier rows are all lost."""

    def add(self, source: RowSource) -> None:
        """Write the counts of this source too, after those of all others."""
        self._sources.append(source)

    async def run(self) -> None:
        """Write every `WRITE_SECONDS`, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            for _ in self._write():
                await asyncio.sleep(0)

    def flush(self) -> None:
        """Write now. When this returns, all rows were handed to the bus, if Redis is up."""
        for _ in self._write():
            pass

    def _write(self) -> Iterator[None]:
        for source in self._sources if self._backlog.is_kept else ():
            yield from source.note_rows()
        if self._bus.is_up:
            yield from self._hand_over()

    def _hand_over(self) -> Iterator[None]:
        for (tenant, table), rows in self._backlog.take().items():
            waiting = list(rows.values())
            failed, lost = self._again(table, tenant), partial(self.lost, tenant, table.name)
            for start in range(0, len(waiting), ROWS_PER_STEP):
                step = waiting[start : start + ROWS_PER_STEP]
                store.note(self._bus, self._addresses, table, tenant, step, failed, lost)
                yield

    def _again(self, table: Table, tenant: str) -> Callable[[Sequence[Noted]], None]:
        def failed(rows: Sequence[Noted]) -> None:
            for noted in rows:
                self._backlog.note(table, tenant, noted)

        return failed
