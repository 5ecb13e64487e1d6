"""Positions: up to which number a client has heard everything on each of its channels, and how that is written. Pure.

A cursor is the text that a client keeps of its positions, and gives back when it returns: `@g.<number>-c.<number>-…`,
or `@<number>` where it is the same number on all of them; numbers in base 36. Nobody but the bridge needs to read it.
It says nothing that its client does not know.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from v3.messages import timestamp

UNKNOWN: Final = "@"
"""The cursor of a client of which it is not known what it has heard: nothing is proven to be everything since then."""
KINDS: Final = ("g", "c", "b", "p", "v")
"""The kinds of a connection's channels, in the order in which it has them: group, client, tenant, everybody, V2."""
OWN: Final = 1
"""The place of the client's own channel among them."""
WIDE: Final = KINDS[-1]
"""The kind of the channel on which others repeat what is said on narrower ones."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_PART: Final = re.compile(r"([gcbpv])\.([0-9a-z]{1,13})")
_NUMBER: Final = re.compile(r"@([0-9a-z]{1,13})")
MOST_CHARACTERS: Final = 80
MOST_MICROSECONDS: Final = 253_402_300_799_000_000
"""The year 9999."""

Positions = Mapping[str, int]
"""Kind of a channel -> the number of the last message that was heard there, or a later one that none was missed to."""


def cursor_of(numbers: Sequence[int]) -> str:
    """The cursor for the numbers of a connection's channels, in the order of `KINDS`."""
    return "@" + "-".join(f"{kind}.{base_36(number)}" for kind, number in zip(KINDS, numbers, strict=False))


def cursor_at(number: int) -> str:
    """The cursor of who has heard everything up to this number on all channels; `@0` where that is not known."""
    return f"@{base_36(number)}"


def number_in(cursor: str) -> int:
    """The number in a cursor that `cursor_at` can have made; 0 if it is another text."""
    found = _NUMBER.fullmatch(cursor)
    return int(found[1], 36) if found else 0


def positions_in(cursor: str) -> Positions | None:
    """The positions in a cursor; `None` if it is not a cursor of the bridge."""
    if not cursor.startswith("@") or len(cursor) > MOST_CHARACTERS:
        return None
    found = [_PART.fullmatch(part) for part in cursor[1:].split("-")]
    return {part[1]: int(part[2], 36) for part in found if part} if all(found) else None


def time_of(cursor: str) -> str:
    """The time of the earliest position in a cursor, as ISO 8601; empty if it has none that is a time."""
    earliest = number_in(cursor) or min((positions_in(cursor) or {"": 0}).values())
    return timestamp(earliest) if 0 < earliest < MOST_MICROSECONDS else ""


def base_36(number: int) -> str:
    """A number as it stands in a cursor."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
