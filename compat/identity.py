"""The mapping of client and group ids: every V2 id has a V3 name, and every V3 name has a V2 id. Pure.

A V2 id that is already a Vision ID is its own V3 name, unless it begins with `v2-`. The V3 name of any other id is
`v2-` and the id's UTF-8 bytes; a byte outside `[A-Za-z0-9-]` is written `_hh` (two hexadecimal digits).
A tenant's id map replaces this computed name in both directions. The computed name stays valid as an alias, so that
messages from clients that still use it arrive.

Decided here: a map in which the Vision ID of one entry is the computed name of another entry is refused, like a map in
which a Vision ID occurs twice. That name would stand for two clients.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from legacy_v2.frames import MAX_ID_CHARACTERS
from v3.messages import SERVER_ID, is_vision_id

PREFIX: Final = "v2-"

_TO_ESCAPE: Final = re.compile(r"[^A-Za-z0-9-]+")
_ESCAPED: Final = re.compile(r"_([0-9a-f]{2})")
# JSON readers and Python accept an integer of at most 4300 digits.
_MOST_DIGITS: Final = 4_300
_CANONICAL_DECIMAL: Final = re.compile(rf"0|-?[1-9][0-9]{{0,{_MOST_DIGITS - 1}}}", re.ASCII)
_LONGEST_NAME: Final = len(PREFIX) + len("-") + _MOST_DIGITS
"""Characters. No V2 id has a longer name: an integer has at most `_MOST_DIGITS` digits, and any other id has at most
`MAX_ID_CHARACTERS` characters of at most four bytes each."""

_MOST_REMEMBERED: Final = 1_024
"""Names whose V2 id need not be worked out again: those who talk are few at a time, and are named in each message."""

V2Id = str | int


def encode(v2_id: str) -> str:
    """The V3 name of a V2 id, without an id map: `42` -> `v2-42`, `a b` -> `v2-a_20b`, `dev_1` -> `dev_1`."""
    if is_vision_id(v2_id) and not v2_id.startswith(PREFIX):
        return v2_id
    return PREFIX + _TO_ESCAPE.sub(_escape, v2_id)


@lru_cache(_MOST_REMEMBERED)
def decode(name: str) -> V2Id:
    """The V2 id of a V3 name, without an id map, as V2 clients write it: a canonical decimal becomes an integer."""
    v2_id = _unescape(name) if name.startswith(PREFIX) else None
    return name if v2_id is None else _as_v2_client_writes(v2_id)


def is_name(name: str) -> bool:
    """Whether a V3 client may have this name: it is a Vision ID, or the `v2-` name of a V2 id."""
    if not name.startswith(PREFIX):
        return is_vision_id(name)
    v2_id = _unescape(name)
    return v2_id is not None and len(v2_id) <= MAX_ID_CHARACTERS


def _escape(run: re.Match[str]) -> str:
    return "_" + run[0].encode().hex("_")


def _unescape(name: str) -> str | None:
    """The V2 id, as text, that `encode` turns into this `v2-` name; `None` if there is no such id."""
    if len(name) > _LONGEST_NAME or not name.isascii():
        return None
    data = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), name[len(PREFIX) :])
    try:
        v2_id = data.encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
    return v2_id if v2_id and encode(v2_id) == name else None


class Names:
    """The names of one tenant: the computed names, and its id map (V2 id as text -> Vision ID). Immutable."""

    def __init__(self, id_map: Mapping[str, str] | None = None) -> None:
        """Raises what `check_id_map` raises."""
        self.id_map: Final = dict(id_map or {})
        aliases = check_id_map(self.id_map)
        self._v2_ids: Final = {name: _as_v2_client_writes(v2_id) for v2_id, name in self.id_map.items()}
        self._aliases: Final = {alias: self.id_map[v2_id] for alias, v2_id in aliases.items()}

    def name_of(self, v2_id: V2Id) -> str:
        """The V3 name of a V2 id. Every V2 id has one."""
        text = str(v2_id)
        return self.id_map.get(text) or encode(text)

    def v2_id_of(self, name: str) -> V2Id:
        """The V2 id of a V3 name, as V2 clients write it: a canonical decimal is an integer."""
        mapped = self._v2_ids.get(name)
        return decode(name) if mapped is None else mapped

    def mapped_id_of(self, name: str) -> V2Id | None:
        """The V2 id that the id map gives this V3 name; `None` where it gives none."""
        return self._v2_ids.get(name)

    def is_from_v2(self, name: str) -> bool:
        """Whether `name` begins with `v2-`, or is the computed name of an id in the id map."""
        return name.startswith(PREFIX) or name in self._aliases

    def resolve(self, name: str) -> str | None:
        """The current V3 name of a client or group: an alias is replaced. `None` if `name` is not a valid name."""
        mapped = self._aliases.get(name)
        if mapped is not None:
            return mapped
        return name if is_name(name) else None


def check_id_map(id_map: Mapping[str, str]) -> dict[str, str]:
    """Raises `ValueError` with a sentence about the wrong entry if an id is invalid or the map is not one to one."""
    owners: dict[str, str] = {}
    replaced = {encode(v2_id): v2_id for v2_id in id_map}
    for v2_id, name in id_map.items():
        if not 1 <= len(v2_id) <= MAX_ID_CHARACTERS:
            raise ValueError(f"the V2 id {v2_id[:32]!r} must have 1 to {MAX_ID_CHARACTERS} characters")
        if not is_vision_id(name) or name.startswith(PREFIX) or name == SERVER_ID:
            raise ValueError(f"{name!r} (for {v2_id!r}) is no Vision ID: 1 to 64 of A-Z a-z 0-9 _ -, not all digits")
        if name in owners:
            raise ValueError(f"{name!r} is given to both {owners[name]!r} and {v2_id!r}: one name, one person")
        if replaced.get(name, v2_id) != v2_id:
            raise ValueError(f"{name!r} (for {v2_id!r}) is also the name that {replaced[name]!r} had: choose another")
        owners[name] = v2_id
    return replaced


def _as_v2_client_writes(v2_id: str) -> V2Id:
    return int(v2_id) if _CANONICAL_DECIMAL.fullmatch(v2_id) else v2_id


PLAIN_NAMES: Final = Names()
