"""The rows of a tenant's records, one for each thing that is counted separately. Pure.

A row is a key in a table (`retention.py`), which stores with it when it was first and last noted, and how often. Rows
hold names and numbers, never the content of a message; of a proprietary key only its name and the type of its value.
"""

import json
from dataclasses import dataclass, fields
from typing import Final, Literal, Self

from pydantic import TypeAdapter

Language = Literal["v2", "v3"]

LONGEST_USER_AGENT: Final = 160
MILLISECONDS_PER_DAY: Final = 86_400_000
MOVES: Final = frozenset({"moved_to_v3", "v2_retired"})
"""Refusals that move a client to V3."""

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def key_of(values: tuple[str | None, ...]) -> str:
    """The fields of a row, in order, as a JSON list: its key in Redis. Equal rows always have equal keys."""
    return _encode(values)


@dataclass(frozen=True, slots=True)
class Row:
    """A row whose fields are written as one line of JSON, and read back."""

    def key(self) -> str:
        """The key of the row in Redis."""
        names: tuple[str, ...] = self.__slots__
        return key_of(tuple([getattr(self, name) for name in names]))

    @classmethod
    def of(cls, key: str) -> Self | None:
        """The row of a key; `None` for a key that the bridge cannot have written."""
        try:
            values = json.loads(key)
            row = cls(*values)
            if "\\u" in key:  # a lone surrogate can be parsed, but not encoded again
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
    """A client that connects. V2 ids are as in the URL path. V2 clients without an id differ by user agent alone."""

    language: Language
    protocol: str
    client_id: str | None
    group_id: str
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class RefusedName(Row):
    """A client that was refused, by the id in its path, whatever its group; without an id, by its user agent."""

    language: Language
    client_id: str | None
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a client when it was last refused.

    `address`: the network that it came from. `at_door`: its handshake was refused, not an open connection closed.
    """

    code: str
    user_agent: str
    address: str
    group_id: str
    protocol: str
    at_door: bool = True

    @classmethod
    def of(cls, text: str) -> "Facts | None":
        """The facts in the JSON of a row; `None` if the bridge cannot have written it."""
        try:
            return _FACTS.validate_json(text, strict=True)
        except ValueError:
            return None


_FACTS: Final = TypeAdapter(Facts)


@dataclass(frozen=True, slots=True)
class Speech(Row):
    """Messages of one client to one audience. `to_id` is a V3 name; the ids of the sender are as in `Visitor`."""

    language: Language
    client_id: str | None
    group_id: str
    msg_type: str
    target: str
    to_id: str | None
    grant: str


@dataclass(frozen=True, slots=True)
class Conversion(Row):
    """Messages whose conversion into the other language had this outcome, on one day (ISO 8601, UTC)."""

    direction: str
    outcome: str
    day: str


@dataclass(frozen=True, slots=True)
class ProprietaryKey(Row):
    """A key of V2 frames that is no standard word and has no dialect rule; the JSON type of its value in a sample."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Sample(Row):
    """Connections or messages of one protocol in one minute or hour. `at`: when it began (ISO 8601, UTC)."""

    at: str
    what: Literal["connections", "messages"]
    protocol: str


@dataclass(slots=True)  # not frozen: thousands are made each second, and `frozen` would triple the cost of each
class Noted:
    """A row with its numbers. Times are in milliseconds since the epoch; `remark` is the last remark on the row."""

    key: str
    first: int
    last: int
    count: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A client: when it was first and last seen (ms since the epoch), how many messages it sent, its user agent."""

    visitor: Visitor
    first: int
    last: int
    messages: int
    user_agent: str


@dataclass(frozen=True, slots=True)
class Said:
    """How often one client sent messages to one audience, and when first and last (ms since the epoch)."""

    speech: Speech
    first: int
    last: int
    times: int
