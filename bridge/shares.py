"""How many of the connections of a process one tenant, key or address may hold. Pure: it counts, and opens nothing.

While a fifth of all places is free anybody may take one. The last fifth is for whoever holds less than an equal share
of the whole, by its tenant, its key and its address: none of them can shut the others out, and each may use what the
others leave.

Decided here: an equal share is one of as many as hold connections now, the newcomer included; where the configuration
has several tenants or keys, of at least two. Addresses are unknown beforehand: there, alone is alone.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

FREE_FOR_ALL: Final = 0.8


class Owner(NamedTuple):
    """Whose a connection is."""

    tenant: str
    key: str
    address: str


class Shares:
    """Who holds how many of `most` places. `several`: of which kinds there can be more than one."""

    def __init__(self, most: int, several: Mapping[str, bool]) -> None:
        self._most = most
        self._least_holders: Final = tuple(2 if several.get(kind) else 1 for kind in Owner._fields)
        self._held: Final = tuple(Counter[str]() for _ in Owner._fields)
        self.taken = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody at all can be let in."""
        return self.taken >= self._most

    def has_room_for(self, owner: Owner) -> bool:
        """Whether one more connection of this owner may be let in."""
        if self.taken < self._most * FREE_FOR_ALL:
            return True
        return not self.is_full and all(
            held[name] < self._most / max(least, len(held) + (name not in held))
            for name, held, least in zip(owner, self._held, self._least_holders, strict=True)
        )

    def take(self, owner: Owner) -> None:
        """One more, let in; each `take` needs its `give_back`."""
        self.taken += 1
        for name, held in zip(owner, self._held, strict=True):
            held[name] += 1

    def give_back(self, owner: Owner) -> None:
        """One is over."""
        self.taken -= 1
        for name, held in zip(owner, self._held, strict=True):
            held[name] -= 1
            if not held[name]:
                del held[name]
