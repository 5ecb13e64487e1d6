"""Limits how many of a process's connections one tenant, key or address may hold. Pure: it only counts.

A tenant may have a bound of its own, which holds however many places are free. Apart from that:

While less than 80% of all places are taken, everyone gets one. After that a newcomer must belong to a tenant, key or
address that holds less than an equal share of all places, so that nobody can shut the others out. Compared are tenants,
if several are configured, and keys, if several are configured; addresses only if neither is. From 80% to 90% one of
these comparisons is enough: a key that holds less than its share gets in even if another key of its tenant holds too
much. From 90% on the first of them alone decides, which is the tenant if several are configured.

Decided here: an equal share is all places divided by the number of those who hold any, the newcomer included. For
tenants and keys that number is at least two. Addresses are compared only where nothing else tells clients apart, since
one client can use many addresses.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

FREE_FOR_ALL: Final = 0.8
"""Part of all places that anyone may take."""
FREE_FOR_KEYS: Final = 0.9
"""Up to this part of all places, one comparison of several is enough."""

Kind = Literal["tenant", "key", "address"]
KINDS: Final[tuple[Kind, ...]] = ("tenant", "key")
"""What is compared where there are several of it."""


class Owner(NamedTuple):
    """The tenant, key and address that one connection is counted for."""

    tenant: str
    key: str
    address: str


class Shares:
    """Counts the holders of `most` places. `several`: whether the configuration has more than one tenant, and key."""

    def __init__(self, most: int, several: Mapping[Kind, bool]) -> None:
        self.bound(most, several)
        self.bound_tenants(0, {})
        self._held: Final = {kind: Counter[str]() for kind in Owner._fields}
        self.taken = 0

    def bound(self, most: int, several: Mapping[Kind, bool]) -> None:
        """Set both anew. Nobody who holds a place loses it."""
        self.most = most
        self._kinds: list[Kind] = [kind for kind in KINDS if several.get(kind)] or ["address"]

    def bound_tenants(self, most_of_each: int, most_of: Mapping[str, int]) -> None:
        """Set anew how many places a tenant may hold; 0: any. `most_of`: of tenants that have a bound of their own."""
        self._most_of_each, self._most_of = most_of_each, most_of

    def most_of(self, tenant: str) -> int:
        """How many places this tenant may hold at most."""
        return min(self.most, self._bound_of(tenant) or self.most)

    def holds_its_most(self, tenant: str) -> bool:
        """Whether a tenant has a bound of its own and holds so many places, however many are free."""
        return 0 < self._bound_of(tenant) <= self._held["tenant"][tenant]

    def _bound_of(self, tenant: str) -> int:
        return self._most_of.get(tenant, self._most_of_each)

    @property
    def is_full(self) -> bool:
        """Whether all places are taken."""
        return self.taken >= self.most

    def has_room_for(self, owner: Owner) -> bool:
        """Whether a new connection of this owner may be let in."""
        if self.taken < self.most * FREE_FOR_ALL:
            return True
        kinds = self._kinds if self.taken < self.most * FREE_FOR_KEYS else self._kinds[:1]
        return not self.is_full and any(self._holds_little(kind, getattr(owner, kind)) for kind in kinds)

    def _holds_little(self, kind: str, name: str) -> bool:
        held = self._held[kind]
        holders = len(held) + (name not in held)
        return held[name] < self.most / (holders if kind == "address" else max(2, holders))

    def take(self, owner: Owner) -> None:
        """Count a new connection; each `take` needs its `give_back`."""
        self.taken += 1
        for kind, held in self._held.items():
            held[getattr(owner, kind)] += 1

    def give_back(self, owner: Owner) -> None:
        """Count a connection that has ended."""
        self.taken -= 1
        for kind, held in self._held.items():
            name = getattr(owner, kind)
            held[name] -= 1
            if not held[name]:
                del held[name]
