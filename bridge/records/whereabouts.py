"""Where the V2 clients of a tenant are now: on V2, on V3, or on neither. Pure: `census.py` reads the rows for it.

Rows belong to one client if its one V3 name, by the id map as it is now, is the same: V2 client 42, V3 client `v2-42`
and, once 42 is mapped to it, V3 client `Xk3` are one. Clients without an id are told apart by their user agents.

Decided here. A client that was ever on V2 is in exactly one of three lists, the first that fits:

- *arrived*: it was on V3 later than on V2. Whoever is connected to both is still on V2.
- *not_arrived*: it was moved to V3 (its connection was closed for that, or its handshake refused), and it was not on
  V2 since.
- *still*: all others. Who comes back to V2 after a rollback is here again; when it was moved is history then.

A client that was never on V2, but was refused there for its tenant's stage and then came on V3, has *arrived*, too.

Any client of V2 or V3, known or not, is also in the list *turned_away* if it was last refused later than it was last
seen: at the door, or by closing its connection for another reason than that it moves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from bridge.records.rows import MOVES, Facts, Language, Noted, RefusedName, Seen, Visitor
from bridge.tenants.tenant import Tenant

ListName = Literal["still", "arrived", "not_arrived", "turned_away"]

LISTS: Final[tuple[ListName, ...]] = get_args(ListName)
NEVER: Final = -1

Key = tuple[str | None, str]
"""The one V3 name of a client, and `""`; without an id, `None` and its user agent."""


@dataclass(slots=True)
class Refused:
    """The refusals of one client, as in its row (`refused_clients.py`). Times are in milliseconds since the epoch."""

    name: RefusedName
    last: int
    times: int
    moved_at: int
    knocks: int
    facts: Facts

    @classmethod
    def of(cls, row: Noted) -> "Refused | None":
        """The refusals in a row; `None` for a row that the bridge cannot have written."""
        name, *numbers = RefusedName.of(row.key), *row.remark.split(" ", 3)
        facts = Facts.of(numbers.pop())
        if name is None or facts is None or len(numbers) != 3 or not "".join(numbers).isdecimal():
            return None
        moved_at, knocks, by_knock = map(int, numbers)
        return cls(name, row.last, row.count, moved_at, knocks - by_knock, facts)

    def add(self, other: "Refused") -> None:
        """Add other refusals of the same client: under another id, or when it was not known yet."""
        if other.last > self.last:
            self.last, self.facts = other.last, other.facts
        self.times += other.times
        self.moved_at = max(self.moved_at, other.moved_at)
        self.knocks += other.knocks


@dataclass(slots=True)
class Client:
    """What is known of one client. Times are in milliseconds since the epoch.

    `visitor` and `user_agent`: as it was last seen on V2, if ever. `first`, `last` and `messages` are those on V2.
    """

    visitor: Visitor | None = None
    user_agent: str = ""
    first: int = NEVER
    last: int = NEVER
    messages: int = 0
    first_on_v3: int = NEVER
    last_on_v3: int = NEVER
    refused: Refused | None = None

    @property
    def place(self) -> ListName | None:
        """Which of the first three lists it is in; `None` for a client that was never on V2."""
        if self.last_on_v3 > self.last and (self.visitor is not None or self.moved_at):
            return "arrived"
        if self.visitor is None:
            return None
        return "not_arrived" if self.moved_at else "still"

    @property
    def is_turned_away(self) -> bool:
        """Whether it is in the list *turned_away*."""
        refused = self.refused
        if refused is None or refused.last < max(self.last, self.last_on_v3):
            return False
        return refused.facts.at_door or refused.facts.code not in MOVES

    @property
    def moved_at(self) -> int:
        """When it was moved; 0 if it was not, or was on V2 again since."""
        return self.refused.moved_at if self.refused is not None and self.refused.last >= self.last else 0

    @property
    def knocks(self) -> int:
        """How many V2 handshakes were refused since it was moved."""
        return self.refused.knocks if self.refused is not None and self.moved_at else 0

    @property
    def last_sign(self) -> int:
        """When it was last seen or refused."""
        return max(self.last, self.last_on_v3, NEVER if self.refused is None else self.refused.last)

    @property
    def lists(self) -> Iterator[ListName]:
        """The lists that it is in."""
        place = self.place
        if place is not None:
            yield place
        if self.is_turned_away:
            yield "turned_away"

    def see(self, seen: Seen) -> None:
        """Add a row of the census."""
        if seen.visitor.language == "v3":
            self.first_on_v3 = seen.first if self.first_on_v3 == NEVER else min(self.first_on_v3, seen.first)
            self.last_on_v3 = max(self.last_on_v3, seen.last)
            return
        if self.visitor is None or seen.last > self.last:
            self.visitor, self.user_agent, self.last = seen.visitor, seen.user_agent, seen.last
        self.first = seen.first if self.first == NEVER else min(self.first, seen.first)
        self.messages += seen.messages


class Whereabouts:
    """The clients of one tenant, put together from rows that come in any order."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._clients: dict[Key, Client] = {}

    def see(self, population: Iterable[Seen]) -> None:
        """Add rows of the census."""
        for seen in population:
            visitor = seen.visitor
            self._client(self._key(visitor.language, visitor.client_id, seen.user_agent)).see(seen)

    def refuse(self, rows: Iterable[Noted]) -> None:
        """Add rows of refused clients, known ones and strangers; rows that cannot be read are skipped."""
        for refused in filter(None, map(Refused.of, rows)):
            name = refused.name
            client = self._client(self._key(name.language, name.client_id, name.user_agent))
            if client.refused is None:
                client.refused = refused
            else:
                client.refused.add(refused)

    @property
    def counts(self) -> dict[ListName, int]:
        """How many clients are in each list."""
        found = Counter(name for client in self._clients.values() for name in client.lists)
        return {name: found[name] for name in LISTS}

    def listed(self, name: ListName) -> list[Client]:
        """The clients of a list, the one with the latest sign of life first."""
        chosen = [client for client in self._clients.values() if name in client.lists]
        return sorted(chosen, key=lambda client: -client.last_sign)

    def moved_since(self, since: int) -> list[Client]:
        """The clients that were moved at `since` (ms since the epoch) or later, and were not on V2 again."""
        return [client for client in self._clients.values() if client.moved_at >= max(since, 1)]

    def is_gone(self, client_id: str | None, user_agent: str) -> bool:
        """Whether this V2 client is not on V2 any more: it has arrived, or was moved and has not arrived."""
        client = self._clients.get(self._key("v2", client_id, user_agent))
        return client is not None and client.place in ("arrived", "not_arrived")

    def _client(self, key: Key) -> Client:
        return self._clients.setdefault(key, Client())

    def _key(self, language: Language, client_id: str | None, user_agent: str) -> Key:
        if client_id is None:
            return None, user_agent
        if language == "v2":  # V2
            return self._tenant.names.name_of(client_id), ""  # V2
        return self._tenant.resolve(client_id) or client_id, ""
