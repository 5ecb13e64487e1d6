"""Rows that wait to be written to Redis: each once, however often it was noted, and no more than so many.

It writes nothing. What is noted beyond `MOST_WAITING` rows is only counted as left out.
"""

from collections import defaultdict
from typing import Final

from bridge.records.rows import Noted
from bridge.records.tables import Table

MOST_WAITING: Final = 50_000
ROWS_PER_STEP: Final = 200

Waiting = dict[tuple[str, Table], dict[str, Noted]]
"""(tenant, table) -> the key of a row -> the row."""


class Backlog:
    """The rows of one process that wait. Where `is_kept` is false nothing is to be recorded at all."""

    def __init__(self, *, is_kept: bool = True) -> None:
        self.is_kept: Final = is_kept
        self._rows: Waiting = defaultdict(dict)
        self.waiting = 0
        """Rows that Redis has not been given yet."""
        self.left_out = 0

    def note(self, table: Table, tenant: str, noted: Noted) -> None:
        """One row more, or more of one that waits already."""
        if self.waiting >= MOST_WAITING:
            self.left_out += 1
            return
        rows = self._rows[tenant, table]
        known = rows.get(noted.key)
        rows[noted.key] = noted if known is None else _folded(known, noted)
        self.waiting += known is None

    def take(self) -> Waiting:
        """All that wait; none do from now on."""
        rows, self._rows, self.waiting = self._rows, defaultdict(dict), 0
        return rows


def is_end_of_step(number: int) -> bool:
    """Whether whoever notes many rows lets messages have their turn before this one, counted from 0."""
    return number % ROWS_PER_STEP == ROWS_PER_STEP - 1


def _folded(known: Noted, more: Noted) -> Noted:
    return Noted(
        known.key,
        min(known.first, more.first),
        max(known.last, more.last),
        known.count + more.count,
        more.remark or known.remark,
    )
