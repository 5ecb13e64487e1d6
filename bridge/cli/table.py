"""Text for a person's terminal: aligned columns, and names that strangers chose, shown without their effect.

Without colours, so that a pipe gets the same text.
"""

from collections.abc import Iterable, Sequence
from typing import Final

_EMPTY_GLYPHS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
"""Characters that count as printable and show nothing: fillers and variation selectors."""


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Lines of cells, each column as wide as its widest cell; the last one is not padded. Each cell is `visible`."""
    table = [list(map(visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(indent + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table)


def visible(text: str) -> str:
    r"""The text with `\u{1b}` for each character that a terminal obeys, hides or breaks the line at."""
    if text.isprintable() and _EMPTY_GLYPHS.isdisjoint(text):
        return text
    return "".join(map(_shown, text))


def counted(number: int, one: str) -> str:
    """`1 id`, `2 ids`, `1,234 ids`: a number of things whose plural ends with s."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def _shown(character: str) -> str:
    is_seen = character.isprintable() and character not in _EMPTY_GLYPHS
    return character if is_seen else f"\\u{{{ord(character):x}}}"
