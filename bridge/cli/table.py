"""Text for a person's terminal: aligned columns, and names that strangers chose, shown without their effect.

Without colours, so that a pipe gets the same text.
"""

from collections.abc import Iterable, Sequence

from bridge.system.visible import visible


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Lines of cells, each column as wide as its widest cell; the last one is not padded. Each cell is `visible`."""
    table = [list(map(visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(indent + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table)


def counted(number: int, one: str) -> str:
    """`1 id`, `2 ids`, `1,234 ids`: a number of things whose plural ends with s."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")
