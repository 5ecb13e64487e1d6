"""The rows that wait to be written to Redis. It writes nothing itself.

A row that is noted several times waits once, with its counts added up. Bounded: while `MOST_WAITING` rows wait,
whatever is noted is only counted in `left_out`, even for a row that waits already.
"""

from collections import defaultdict
from typing import Final

from bridge.records.retention import Table
from bridge.records.rows import Noted

MOST_WAITING: Final = 50_000
ROWS_PER_STEP: Final = 200

Waiting = dict[tuple[str, Table], dict[str, Noted]]
"""(tenant, table) -> key of a row -> the row."""


class Backlog:
    """The waiting rows of one process. `is_kept`: whether anything is to be recorded at all."""

    def __init__(self, *, is_kept: bool = True) -> None:
        self.is_kept: Final = is_kept
        self._rows: Waiting = defaultdict(dict)
        self.waiting = 0
        """How many rows were not sent to Redis yet."""
        self.left_out = 0

    def note(self, table: Table, tenant: str, noted: Noted) -> None:
        """Add a row, or add to the same row if that waits already."""
        if self.waiting >= MOST_WAITING:
            self.left_out += 1
            return
        rows = self._rows[tenant, table]
        known = rows.get(noted.key)
        rows[noted.key] = noted if known is None else _folded(known, noted)
        self.waiting += known is None

    def take(self) -> Waiting:
        """Remove all waiting rows, and return them."""
        rows, self._rows, self.waiting = self._rows, defaultdict(dict), 0
        return rows


def is_end_of_step(number: int) -> bool:
    """Whether a loop that notes many rows must let messages have their turn before row `number`, counted from 0."""
    return number % ROWS_PER_STEP == ROWS_PER_STEP - 1


def _folded(known: Noted, more: Noted) -> Noted:
    return Noted(
        known.key,
        min(known.first, more.first),
        max(known.last, more.last),
        known.count + more.count,
        more.remark or known.remark,
    )
