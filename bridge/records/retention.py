"""The tables of a tenant's records: how many rows each keeps, and for how long. Pure: `store.py` writes and reads them.

A row that was not noted for `days` is deleted, and beyond `most_rows` the row that was noted longest ago is deleted.
`rows.py` defines the rows.
"""

from dataclasses import dataclass
from typing import Final, Self

MOST_STRANGERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its bounds. `name` is a part of its key in Redis."""

    name: str
    most_rows: int
    days: int


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of a tenant."""

    census: Table
    """Rows: `Visitor`. The count of a row is how many messages the client sent; its remark is the user agent."""
    speeches: Table
    """Rows: `Speech`. The count of a row is how many messages there were."""
    ledger: Table
    """Rows: `Conversion` and `ProprietaryKey`."""
    minutes: Table
    """Rows: `Sample`, by minute."""
    hours: Table
    """Rows: `Sample`, by hour. The connections of each minute are added up."""
    refused: Table
    """Rows: `RefusedName`, of clients that are in the census; see `refused_clients.py`."""
    strangers: Table
    """Rows: `RefusedName`, of clients that never got in: so few that a flood of them costs little."""

    @classmethod
    def bounded(cls, census_rows: int, days: int) -> Self:
        """The tables. `census_rows` and `days` are chosen by the operator; the other bounds are fixed."""
        return cls(
            census=Table("census", census_rows, days),
            speeches=Table("speeches", 20_000, days),
            ledger=Table("ledger", 5_000, days),
            minutes=Table("minutes", 12_000, 2),
            hours=Table("hours", 60_000, 400),
            refused=Table("refused", census_rows, days),
            strangers=Table("strangers", MOST_STRANGERS, days),
        )
