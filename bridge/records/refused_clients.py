"""Which clients were refused or sent away, by their ids: counted here in memory, and added up in Redis.

Once a second the writer calls `note_rows`. A client in the census has its row in the table `refused`; any other is a
stranger, in a table of `MOST_STRANGERS` rows. So nobody who makes up ids can push out the clients that are known. When
that table is full, the stranger who was refused longest ago is forgotten; one who came only once, a day earlier. A
refusal whose tenant is not known is noted under the tenant `NO_TENANT`.

It never holds a credential. Bounded: `MOST_REFUSED` clients of a tenant wait; one beyond is counted as left out.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from ipaddress import ip_address, ip_network
from itertools import islice
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.scripts import Script
from bridge.records.backlog import Backlog
from bridge.records.retention import Tables
from bridge.records.rows import LONGEST_USER_AGENT, MILLISECONDS_PER_DAY, MOVES, Facts, RefusedName, Visitor
from bridge.records.speech import milliseconds
from bridge.records.store import SECONDS_PER_DAY, keys_of
from bridge.system.observers import Observers

NO_TENANT: Final = ""
LONGEST_ID: Final = 128
SENDS_AWAY: Final = MOVES | {"unauthenticated", "token_expired", "forbidden", "stage_legacy"}
"""Refusals with which an open connection is closed, so that its client must not come back unchanged."""
MOST_REFUSED: Final = 5_000
CLIENTS_PER_COMMAND: Final = 100
NOTE: Final = Script.in_file("bridge.records", "refused_note")


@dataclass(frozen=True, slots=True)
class RefusedClient:
    """One client at the moment when it is refused. `tenant`: `NO_TENANT` if that is not known."""

    tenant: str
    visitor: Visitor
    facts: Facts

    @classmethod
    def of(cls, tenant: str, visitor: Visitor, code: str, user_agent: str, address: str) -> "RefusedClient":
        """The client, with what it named itself as text that can be stored: cut, and without lone surrogates."""
        group, agent = _storable(visitor.group_id, LONGEST_ID), _storable(user_agent, LONGEST_USER_AGENT)
        client_id = None if visitor.client_id is None else _storable(visitor.client_id, LONGEST_ID)
        facts = Facts(code, agent, network_of(address), group, visitor.protocol)
        return cls(tenant, replace(visitor, client_id=client_id, group_id=group), facts)

    @property
    def name(self) -> RefusedName:
        """The row that it is counted in."""
        visitor = self.visitor
        user_agent = self.facts.user_agent if visitor.client_id is None else ""
        return RefusedName(visitor.language, visitor.client_id, user_agent)


@dataclass(slots=True)
class RefusalCount:
    """How often one client was refused since the last write. Times are in milliseconds since the epoch.

    `moved`: when it was moved to V3, 0 if it was not. `knocks`: handshakes refused because it is to move; `by_knock`
    says that the first of them moved it. `was_in`: it was connected, and was sent away.
    """

    client: RefusedClient
    first: int
    last: int
    times: int = 0
    moved: int = 0
    knocks: int = 0
    by_knock: bool = False
    was_in: bool = False

    def add(self, more: "RefusalCount") -> None:
        """Add later refusals of the same client."""
        self.client, self.first, self.last = more.client, min(self.first, more.first), max(self.last, more.last)
        if not self.moved:
            self.moved, self.by_knock = more.moved, more.by_knock
        self.times += more.times
        self.knocks += more.knocks
        self.was_in |= more.was_in

    def arguments(self) -> list[str | int]:
        """For the script."""
        numbers = (self.first, self.last, self.times, self.moved, self.knocks, int(self.by_knock), int(self.was_in))
        facts = json.dumps(asdict(self.client.facts))
        return [self.client.name.key(), self.client.visitor.key(), *numbers, facts]


class RefusedClients:
    """The clients that one process has refused since its last write. `refused` is told of each handshake, too."""

    def __init__(
        self, bus: Bus, addresses: Addresses, tables: Tables, backlog: Backlog, seconds: Callable[[], float]
    ) -> None:
        self._bus = bus
        self._addresses = addresses
        self._tables = tables
        self._backlog = backlog
        self._seconds = seconds
        self._waiting: defaultdict[str, dict[RefusedName, RefusalCount]] = defaultdict(dict)
        self.told: Final = Observers[[RefusedClient]]()
        """Called with each client whose handshake was refused."""

    def refused(self, client: RefusedClient) -> None:
        """Count a refused handshake."""
        now, moves = milliseconds(self._seconds()), client.facts.code in MOVES
        refusals = RefusalCount(client, now, now, 1, now if moves else 0, int(moves), by_knock=moves)
        self._add(client.tenant, client.name, refusals)
        self.told(client)

    def sent_away(self, client: RefusedClient) -> None:
        """Count a client whose connection is over because it was refused; not one that only must come back later."""
        if client.facts.code in SENDS_AWAY:
            client = replace(client, facts=replace(client.facts, at_door=False))
            now, moves = milliseconds(self._seconds()), client.facts.code in MOVES
            refusals = RefusalCount(client, now, now, moved=now if moves else 0, was_in=True)
            self._add(client.tenant, client.name, refusals)

    def note_rows(self) -> Iterator[None]:
        """Send the counts to Redis, in steps. What Redis does not confirm is sent again."""
        waiting, self._waiting = self._waiting, defaultdict(dict)
        for tenant, clients in waiting.items():
            rows = iter(clients.items())
            while step := dict(islice(rows, CLIENTS_PER_COMMAND)):
                self._note(tenant, step)
                yield

    def _add(self, tenant: str, name: RefusedName, refusals: RefusalCount) -> None:
        if not self._backlog.is_kept:
            return
        waiting = self._waiting[tenant]
        known = waiting.get(name)
        if known is not None:
            known.add(refusals)
        elif len(waiting) < MOST_REFUSED:
            waiting[name] = refusals
        else:
            self._backlog.left_out += 1

    def _note(self, tenant: str, step: Mapping[RefusedName, RefusalCount]) -> None:
        tables = self._tables
        census, _ = keys_of(self._addresses, tables.census, tenant)
        known, strangers = (keys_of(self._addresses, table, tenant) for table in (tables.refused, tables.strangers))
        kept_seconds = tables.refused.days * SECONDS_PER_DAY
        bounds = (kept_seconds, tables.refused.most_rows, tables.strangers.most_rows, MILLISECONDS_PER_DAY)
        arguments = [word for one in step.values() for word in one.arguments()]
        done = partial(self._noted, tenant, step)
        NOTE.run(self._bus, [census, *known, *strangers], [*bounds, *arguments], done)

    def _noted(self, tenant: str, step: Mapping[RefusedName, RefusalCount], reply: object) -> None:
        if not isinstance(reply, int):
            for name, refusals in step.items():
                self._add(tenant, name, refusals)


def _storable(text: str, most: int) -> str:
    return text[:most].encode(errors="replace").decode()


@lru_cache(4_096)
def network_of(address: str) -> str:
    """The network of an address: a /24 of IPv4, a /48 of IPv6. Any other text stays as it is."""
    try:
        host = ip_address(address.partition("/")[0])
    except ValueError:
        return address
    return str(ip_network((host, 24 if host.version == 4 else 48), strict=False))
