"""The tables in which a tenant's records are kept, and their bounds. Pure: `store.py` writes and reads them in Redis.

What was not noted for `days` is forgotten, and beyond `most_rows` the row that was noted longest ago is. What the
rows are is said by `rows.py`.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of rows, with its bounds. The `name` is a part of its key in Redis."""

    name: str
    most_rows: int
    days: int


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table of a tenant."""

    census: Table
    """`Visitor`: who connects; counted are the messages that each said, remarked is the user agent."""
    speeches: Table
    """`Speech`: who says something to whom."""
    ledger: Table
    """`Conversion` and `ProprietaryKey`."""
    minutes: Table
    """`Sample`, a row a minute."""
    hours: Table
    """`Sample`, a row an hour; connections are added up each minute."""

    @classmethod
    def bounded(cls, census_rows: int, days: int) -> Self:
        """The tables with their bounds: what the operator chooses, and what a history needs."""
        return cls(
            census=Table("census", census_rows, days),
            speeches=Table("speeches", 20_000, days),
            ledger=Table("ledger", 5_000, days),
            minutes=Table("minutes", 12_000, 2),
            hours=Table("hours", 60_000, 400),
        )
