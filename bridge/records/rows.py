"""What is kept of a tenant's traffic for its operator, a row for each thing that is told apart. Pure.

Each kind of row is the key of a table (`tables.py`), which keeps beside it when it was first and last noted and how
often. Names and numbers are kept, never what was said; of a proprietary key only its name and the type of its value.
"""

import json
from dataclasses import dataclass, fields
from typing import Final, Literal, Self

Language = Literal["v2", "v3"]

LONGEST_USER_AGENT: Final = 160
MILLISECONDS_PER_DAY: Final = 86_400_000

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def key_of(values: tuple[str | None, ...]) -> str:
    """The fields of a row, in order, as it stands in Redis: the same row is always the same text."""
    return _encode(values)


@dataclass(frozen=True, slots=True)
class Row:
    """The fields of a row, as one line of JSON and back."""

    def key(self) -> str:
        """As it stands in Redis."""
        names: tuple[str, ...] = self.__slots__
        return key_of(tuple([getattr(self, name) for name in names]))

    @classmethod
    def of(cls, key: str) -> Self | None:
        """The row behind a key; `None` for what somebody else wrote under our name."""
        try:
            values = json.loads(key)
            row = cls(*values)
            if "\\u" in key:  # half a character would be a name that nothing can write down
                _encode(values).encode()
        except (ValueError, TypeError, RecursionError):
            return None
        is_sound = all(
            isinstance(value, str) or (value is None and "None" in str(one.type))
            for value, one in zip(values, fields(cls), strict=False)
        )
        return row if is_sound else None


@dataclass(frozen=True, slots=True)
class Visitor(Row):
    """Who connects. V2 ids as they stand in the path; those without one are told apart by user agent alone."""

    language: Language
    protocol: str
    client_id: str | None
    group_id: str
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Speech(Row):
    """Who says something to whom. `to_id` is a V3 name; the speaker's ids are as `Visitor`'s."""

    language: Language
    client_id: str | None
    group_id: str
    msg_type: str
    target: str
    to_id: str | None
    grant: str


@dataclass(frozen=True, slots=True)
class Conversion(Row):
    """What became of messages on their way to the other side, on one day (ISO 8601, UTC)."""

    direction: str
    outcome: str
    day: str


@dataclass(frozen=True, slots=True)
class ProprietaryKey(Row):
    """A key of V2 frames that no standard word and no dialect rule explains, and the type of its value in a sample."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Sample(Row):
    """Connections or messages of one protocol, in one minute or hour (ISO 8601, UTC)."""

    at: str
    what: Literal["connections", "messages"]
    protocol: str


@dataclass(slots=True)  # not frozen: thousands are made each second, and that would triple what making one costs
class Noted:
    """How a row was noted: times in milliseconds since the epoch; `remark` is what was last remarked on it."""

    key: str
    first: int
    last: int
    count: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A client, from when to when it was there (ms since the epoch), how much it said, and what it calls itself."""

    visitor: Visitor
    first: int
    last: int
    messages: int
    user_agent: str


@dataclass(frozen=True, slots=True)
class Said:
    """What one client said to one audience, from when to when (ms since the epoch), and how often."""

    speech: Speech
    first: int
    last: int
    times: int
