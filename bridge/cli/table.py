"""Text for a person's terminal: aligned columns, and names that strangers chose, shown without their effect.

Without colours, so that a pipe gets the same text. A column is as wide as a terminal shows it: ideographs and emoji
take two places, an accent on a letter none.
"""

from collections.abc import Iterable, Sequence
from unicodedata import category, east_asian_width

from bridge.system.visible import MARKS, visible


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Lines of cells, each column as wide as its widest cell; the last one is not padded. Each cell is `visible`."""
    table = [list(map(visible, row)) for row in rows]
    widths = [max(map(_places, column)) for column in zip(*table, strict=True)]
    return "\n".join(indent + "  ".join(map(_padded, row, widths)).rstrip() for row in table)


def counted(number: int, one: str) -> str:
    """`1 id`, `2 ids`, `1,234 ids`: a number of things whose plural ends with s."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def _places(text: str) -> int:
    """How many places of a line a terminal gives this text."""
    if text.isascii():
        return len(text)
    return sum(0 if category(one) in MARKS else 2 if east_asian_width(one) in ("W", "F") else 1 for one in text)


def _padded(text: str, places: int) -> str:
    return text + " " * (places - _places(text))
