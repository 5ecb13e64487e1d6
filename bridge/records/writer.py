"""What was recorded, on its way to Redis: each second rows are noted of all that was counted, and added to the store.

Nobody waits for it. What Redis did not take waits for the next second: it may be counted twice, but it is not lost.
The bound is the backlog's (`backlog.py`).
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.records import store
from bridge.records.backlog import ROWS_PER_STEP, Backlog
from bridge.records.rows import Noted
from bridge.records.tables import Table
from bridge.system.observers import Observers

WRITE_SECONDS: Final = 1.0


class RowSource(Protocol):
    """What counts in memory, and notes what it has counted as rows of the backlog."""

    def note_rows(self) -> Iterator[None]:
        """In steps, between which messages have their turn."""


class Writer:
    """Writes the rows of one process. Where nothing is to be recorded it writes nothing."""

    def __init__(self, bus: Bus, addresses: Addresses, backlog: Backlog, *sources: RowSource) -> None:
        self._bus = bus
        self._addresses = addresses
        self._backlog = backlog
        self._sources = list(sources)
        self.lost: Final = Observers[[str, str]]()
        """Told of a tenant and the name of a table of which Redis has lost all that was there before."""

    def add(self, source: RowSource) -> None:
        """Write also what this one has counted, after all others."""
        self._sources.append(source)

    async def run(self) -> None:
        """Write each second, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            for _ in self._write():
                await asyncio.sleep(0)

    def flush(self) -> None:
        """Write now; everything is on its way when this returns."""
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
