"""Evicts open connections after a change of their tenant, so many per second, and tells V2 clients their V3 path.

It decides nothing about tenants: `tenants/tenant.py` says which clients a stage refuses. If the change is undone,
connections whose turn has not come yet stay open.

Bounded by the open connections: each waits here at most once, and no longer than it is open.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import ceil
from typing import Final, NamedTuple

from bridge.broker.presence import Place
from bridge.budget.rate import Bucket, Rate
from bridge.messaging.connections import Connection, Connections
from bridge.tenants.tenant import Tenant, successor_path
from legacy_v2.frames import DEFAULT_GROUP

LOOKED_AT_PER_TURN: Final = 100
TICK_SECONDS: Final = 0.02
MOST_PER_TICK: Final = 100
"""The bound of one tick at any pace, so that messages have their turn between two ticks."""


class Eviction(NamedTuple):
    """The code with which a connection is refused, and the further fields of the refusal.

    `is_expected`: whether the client comes back under the same name, on V2 or V3.
    """

    code: str
    extra: dict[str, object]
    is_expected: bool = True


class Evictions:
    """The connections of this process that must be evicted, and the pace of that."""

    def __init__(
        self, connections: Connections, tenant_named: Callable[[str], Tenant | None], per_second: float
    ) -> None:
        self._connections = connections
        self._tenant_named = tenant_named
        self._due: dict[Connection, Eviction] = {}
        self._is_any_due = asyncio.Event()
        self._clock_seconds = asyncio.get_running_loop().time
        self.set_pace(per_second)
        self.evicted = 0
        connections.begun.add(self.look_at)
        connections.ended.add(self.stay)

    def set_pace(self, per_second: float) -> None:
        """Evict so many per second from now on; 0: without a pause."""
        at_once = max(1, ceil(per_second * TICK_SECONDS))  # one tick's worth: idle time is not caught up
        self._pace = Bucket(Rate(per_second, at_once), self._clock_seconds())

    @property
    def waiting(self) -> int:
        """How many connections must be evicted, and are still open."""
        return len(self._due)

    async def run(self) -> None:
        """Refuse connections when their turn comes, until cancelled."""
        while True:
            await self._is_any_due.wait()
            self._evict_some()
            if self._due:
                await asyncio.sleep(TICK_SECONDS)
            else:
                self._is_any_due.clear()

    def look_at(self, connection: Connection) -> None:
        """Check a connection that has begun: its tenant may have changed during the handshake."""
        tenant = self._tenant_named(connection.info.place.tenant)
        if tenant is not None:
            self._apply_to(connection, tenant)

    def apply(self, _before: Tenant, after: Tenant) -> None:
        """Check all connections of a tenant that has changed."""
        self._look_at_all([one for one in self._connections if one.info.place.tenant == after.name], after.name)

    def evict(self, connection: Connection, eviction: Eviction) -> None:
        """Refuse a connection when its turn comes. A closed connection is ignored."""
        if connection in self._connections:
            self._due[connection] = eviction
            self._is_any_due.set()

    def stay(self, connection: Connection) -> None:
        """Evict a connection no longer: it may stay, or it is closed."""
        self._due.pop(connection, None)

    def _look_at_all(self, connections: Sequence[Connection], name: str) -> None:
        """Check `LOOKED_AT_PER_TURN` connections in one turn of the event loop, so that messages go on meanwhile."""
        tenant = self._tenant_named(name)
        if tenant is None:
            return
        for connection in connections[:LOOKED_AT_PER_TURN]:
            self._apply_to(connection, tenant)
        if len(connections) > LOOKED_AT_PER_TURN:
            rest = connections[LOOKED_AT_PER_TURN:]
            asyncio.get_running_loop().call_soon(self._look_at_all, rest, name)

    def _apply_to(self, connection: Connection, tenant: Tenant) -> None:
        eviction = eviction_of(connection, tenant)
        if eviction is None:
            self.stay(connection)
        else:
            self.evict(connection, eviction)

    def _evict_some(self) -> None:
        for _ in range(MOST_PER_TICK):
            if not self._due or self._pace.spend(self._clock_seconds()) != "within":
                return
            connection = next(iter(self._due))
            code, extra, is_expected = self._due.pop(connection)
            connection.dismiss(code, is_expected=is_expected, **extra)
            self.evicted += 1


def eviction_of(connection: Connection, tenant: Tenant) -> Eviction | None:
    """Why a connection must be evicted now; `None` if it may stay."""
    place = connection.info.place
    group, client = connection.info.path_ids
    is_v2 = connection.info.visitor.language == "v2"
    code = tenant.refuses_v2(client) if is_v2 else tenant.refuses_v3()
    if code is not None:
        return Eviction(code, {"successor": successor_path(place.group, place.client)} if is_v2 else {})
    names = _names_on_v2(place, group, client, tenant) if is_v2 else _names_on_v3(group, client, tenant)
    if names != (place.group, place.client):
        return Eviction("going_away", {"retry_after_ms": 0}, is_expected=False)
    return None


def _names_on_v2(place: Place, group: str | None, client: str | None, tenant: Tenant) -> tuple[str, str]:
    """Group and client name that this connection would get if it came now. A generated id keeps its name."""
    return (
        tenant.names.name_of(DEFAULT_GROUP if group is None else group),
        place.client if client is None else tenant.names.name_of(client),
    )


def _names_on_v3(group: str | None, client: str | None, tenant: Tenant) -> tuple[str | None, str | None]:
    return tenant.names.resolve(group or ""), tenant.names.resolve(client or "")
