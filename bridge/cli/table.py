"""Text for a person's terminal: aligned columns, and names that strangers chose, shown without their effect.

Without colours, so that a pipe gets the same text. A column is as wide as a terminal shows it: ideographs and emoji
take two places, an accent on a letter none.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from unicodedata import category, east_asian_width

_EMPTY_GLYPHS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
"""Characters that count as printable and show nothing: fillers and variation selectors."""
_MARKS: Final = ("Mn", "Me")
"""Accents and the like, which are drawn on the character before them."""
_MOST_MARKS: Final = 2
"""So many on one character are writing; more would be drawn over the lines above and below."""


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Lines of cells, each column as wide as its widest cell; the last one is not padded. Each cell is `visible`."""
    table = [list(map(visible, row)) for row in rows]
    widths = [max(map(_places, column)) for column in zip(*table, strict=True)]
    return "\n".join(indent + "  ".join(map(_padded, row, widths)).rstrip() for row in table)


def visible(text: str) -> str:
    r"""The text with `\u{1b}` for each character that a terminal obeys, hides, breaks the line at or piles up."""
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], _MOST_MARKS
    for character in text:
        marks = marks + 1 if category(character) in _MARKS else 0
        shown.append(_shown(character) if marks <= _MOST_MARKS else _escaped(character))
    return "".join(shown)


def counted(number: int, one: str) -> str:
    """`1 id`, `2 ids`, `1,234 ids`: a number of things whose plural ends with s."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")


def _places(text: str) -> int:
    """How many places of a line a terminal gives this text."""
    if text.isascii():
        return len(text)
    return sum(0 if category(one) in _MARKS else 2 if east_asian_width(one) in ("W", "F") else 1 for one in text)


def _padded(text: str, places: int) -> str:
    return text + " " * (places - _places(text))


def _shown(character: str) -> str:
    is_seen = character.isprintable() and character not in _EMPTY_GLYPHS
    return character if is_seen else _escaped(character)


def _escaped(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"
