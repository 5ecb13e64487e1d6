"""Who is who on either side: a V2 id is a name in V3, and a name in V3 is a V2 id. Pure.

An id that is a Vision ID already stays as it is. Any other becomes `v2-` and its UTF-8 bytes, those outside
`[A-Za-z0-9-]` written `_hh`. A tenant's id map replaces that name in both directions; the name it replaced stays as an
alias, so that nobody who used it is left alone.

Decided here: a map whose value is itself the name that another entry replaces would give one person two names, and is
refused like a doubled value.
"""

import re
from collections.abc import Mapping
from typing import Final

from legacy_v2.frames import MAX_ID_CHARACTERS
from v3.messages import SERVER_ID, is_vision_id

PREFIX: Final = "v2-"

_TO_ESCAPE: Final = re.compile(r"[^A-Za-z0-9-]+")
_ESCAPED: Final = re.compile(r"_([0-9a-f]{2})")
# 4300 digits are what JSON readers and Python take for an integer.
_MOST_DIGITS: Final = 4_300
_CANONICAL_DECIMAL: Final = re.compile(rf"0|-?[1-9][0-9]{{0,{_MOST_DIGITS - 1}}}", re.ASCII)
_LONGEST_NAME: Final = len(PREFIX) + len("-") + _MOST_DIGITS
"""A V2 id in a path is shorter: `MAX_ID_CHARACTERS` of at most four bytes each. What is longer was nobody's id."""

V2Id = str | int


def encode(v2_id: str) -> str:
    """The V3 name of a V2 id that no map replaces: `42` is `v2-42`, `a b` is `v2-a_20b`, `dev_1` is `dev_1`."""
    if is_vision_id(v2_id) and not v2_id.startswith(PREFIX):
        return v2_id
    return PREFIX + _TO_ESCAPE.sub(_escape, v2_id)


def decode(name: str) -> V2Id:
    """The V2 id behind a V3 name, as V2 clients write it: a canonical decimal becomes an integer."""
    v2_id = _unescape(name) if name.startswith(PREFIX) else None
    return name if v2_id is None else _as_v2_client_writes(v2_id)


def is_name(name: str) -> bool:
    """Whether a V3 client may be called so: a Vision ID, or the `v2-` name of some V2 id."""
    if not name.startswith(PREFIX):
        return is_vision_id(name)
    v2_id = _unescape(name)
    return v2_id is not None and len(v2_id) <= MAX_ID_CHARACTERS


def _escape(run: re.Match[str]) -> str:
    return "_" + run[0].encode().hex("_")


def _unescape(name: str) -> str | None:
    """The text behind a `v2-` name, or `None` for a name that no V2 id yields."""
    if len(name) > _LONGEST_NAME or not name.isascii():
        return None
    data = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), name[len(PREFIX) :])
    try:
        v2_id = data.encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
    return v2_id if v2_id and encode(v2_id) == name else None


class Names:
    """One tenant's names: the rule above, and its id map (V2 id as text -> Vision ID). Immutable."""

    def __init__(self, id_map: Mapping[str, str] | None = None) -> None:
        """Raises `ValueError`, saying which entry, for a map that is not one to one."""
        self.id_map: Final = dict(id_map or {})
        check_id_map(self.id_map)
        self._v2_ids: Final = {name: _as_v2_client_writes(v2_id) for v2_id, name in self.id_map.items()}
        self._aliases: Final = {encode(v2_id): name for v2_id, name in self.id_map.items()}

    def name_of(self, v2_id: V2Id) -> str:
        """V2 id -> V3 name. Every V2 id has one."""
        text = str(v2_id)
        return self.id_map.get(text) or encode(text)

    def v2_id_of(self, name: str) -> V2Id:
        """V3 name -> V2 id, as V2 clients write it."""
        mapped = self._v2_ids.get(name)
        return decode(name) if mapped is None else mapped

    def resolve(self, name: str) -> str | None:
        """The one name of whoever is called `name` in V3, its aliases followed; `None` for what is no name."""
        mapped = self._aliases.get(name)
        if mapped is not None:
            return mapped
        return name if is_name(name) else None


def check_id_map(id_map: Mapping[str, str]) -> None:
    """Raises `ValueError` with a sentence for the operator when the map is not one to one."""
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


def _as_v2_client_writes(v2_id: str) -> V2Id:
    return int(v2_id) if _CANONICAL_DECIMAL.fullmatch(v2_id) else v2_id


PLAIN_NAMES: Final = Names()
