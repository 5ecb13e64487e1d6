"""How many of the connections of a process one tenant, key or address may hold. Pure: it counts, and opens nothing.

While a fifth of all places is free anybody may take one. The last fifth is for those who hold less than an equal share
of the whole, so that nobody shuts the others out, and each may use what the others leave: by their tenant, where there
are several; else by their key; else by their address. A key that holds less than its share still gets in beside
another of its tenant that holds too much, but not into the last tenth.

Decided here: an equal share is one of as many as hold connections now, the newcomer included; of tenants and keys, of
at least two. An address counts only where nothing else tells people apart, since anyone can come from many.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

FREE_FOR_ALL: Final = 0.8
FREE_FOR_KEYS: Final = 0.9

Kind = Literal["tenant", "key", "address"]


class Owner(NamedTuple):
    """Whose a connection is."""

    tenant: str
    key: str
    address: str


class Shares:
    """Who holds how many of `most` places. `several`: of which kinds the configuration has more than one."""

    def __init__(self, most: int, several: Mapping[Kind, bool]) -> None:
        self._most = most
        self._kinds: Final = [kind for kind in ("tenant", "key") if several.get(kind)] or ["address"]
        self._held: Final = {kind: Counter[str]() for kind in Owner._fields}
        self.taken = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody at all can be let in."""
        return self.taken >= self._most

    def has_room_for(self, owner: Owner) -> bool:
        """Whether one more connection of this owner may be let in."""
        if self.taken < self._most * FREE_FOR_ALL:
            return True
        kinds = self._kinds if self.taken < self._most * FREE_FOR_KEYS else self._kinds[:1]
        return not self.is_full and any(self._holds_little(kind, getattr(owner, kind)) for kind in kinds)

    def _holds_little(self, kind: str, name: str) -> bool:
        held = self._held[kind]
        holders = len(held) + (name not in held)
        return held[name] < self._most / (holders if kind == "address" else max(2, holders))

    def take(self, owner: Owner) -> None:
        """One more, let in; each `take` needs its `give_back`."""
        self.taken += 1
        for kind, held in self._held.items():
            held[getattr(owner, kind)] += 1

    def give_back(self, owner: Owner) -> None:
        """One is over."""
        self.taken -= 1
        for kind, held in self._held.items():
            name = getattr(owner, kind)
            held[name] -= 1
            if not held[name]:
                del held[name]
