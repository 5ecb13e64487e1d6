r"""Text that strangers chose, shown to a person without its effect: `\u{1b}` for what a terminal obeys. Pure."""

from typing import Final
from unicodedata import category

_EMPTY_GLYPHS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
"""Characters that count as printable and show nothing: fillers and variation selectors."""
MARKS: Final = ("Mn", "Me")
"""Categories of accents and the like, which are drawn on the character before them."""
_MOST_MARKS: Final = 2
"""So many on one character are writing; more would be drawn over the lines above and below."""


def visible(text: str) -> str:
    r"""The text with `\u{1b}` for each character that a terminal obeys, hides, breaks the line at or piles up."""
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], _MOST_MARKS
    for character in text:
        marks = marks + 1 if category(character) in MARKS else 0
        shown.append(_shown(character) if marks <= _MOST_MARKS else _escaped(character))
    return "".join(shown)


def visible_lines(text: str) -> str:
    """The same of a text of several lines, which stay lines."""
    return "\n".join(map(visible, text.split("\n")))


def _shown(character: str) -> str:
    is_seen = character.isprintable() and character not in _EMPTY_GLYPHS
    return character if is_seen else _escaped(character)


def _escaped(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"
