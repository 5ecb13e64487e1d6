"""What a change of a tenant means for the connections that are open: who has to go, and what they are told.

It reacts to the tenant table and decides nothing by itself: who is refused is for `tenants/tenant.py` to say. Those who
go are paced by the connections' owner; a change taken back lets those stay whose turn has not come.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from bridge.broker.presence import Place
from bridge.messaging.connections import Connection, Connections
from bridge.tenants.tenant import Tenant, successor_path
from legacy_v2.frames import DEFAULT_GROUP

LOOKED_AT_PER_TURN: Final = 100


class Moves:
    """Applies tenant changes to this process's connections."""

    def __init__(self, connections: Connections, tenant_named: Callable[[str], Tenant | None]) -> None:
        self._connections = connections
        self._tenant_named = tenant_named

    def look_at(self, connection: Connection) -> None:
        """A connection has begun: its tenant may have changed while it was arriving."""
        tenant = self._tenant_named(connection.facts.place.tenant)
        if tenant is not None:
            self._apply_to(connection, tenant)

    def apply(self, before: Tenant, after: Tenant) -> None:
        """Called by the tenant table after each change."""
        self._look_at_all([one for one in self._connections if one.facts.place.tenant == after.name], after.name)

    def _look_at_all(self, connections: Sequence[Connection], name: str) -> None:
        """So many in a turn of the loop: the others' messages go on meanwhile."""
        tenant = self._tenant_named(name)
        if tenant is None:
            return
        for connection in connections[:LOOKED_AT_PER_TURN]:
            self._apply_to(connection, tenant)
        if len(connections) > LOOKED_AT_PER_TURN:
            rest = connections[LOOKED_AT_PER_TURN:]
            asyncio.get_running_loop().call_soon(self._look_at_all, rest, name)

    def _apply_to(self, connection: Connection, tenant: Tenant) -> None:
        verdict = _verdict(connection, tenant)
        if verdict is None:
            self._connections.stay(connection)
        else:
            code, extra = verdict
            self._connections.move(connection, code, **extra)


def _verdict(connection: Connection, tenant: Tenant) -> tuple[str, dict[str, Any]] | None:
    """The code with which a connection has to go now, and what it is told; `None` lets it stay."""
    place = connection.facts.place
    group, client = connection.facts.path_ids
    is_v2 = connection.facts.visitor.language == "v2"
    if is_v2:
        code = tenant.refuses_v2(client)
        if code is not None:
            return code, {"successor": successor_path(place.group, place.client)}
    else:
        code = tenant.refuses_v3()
        if code is not None:
            return code, {}
    names = _names_on_v2(place, group, client, tenant) if is_v2 else _names_on_v3(group, client, tenant)
    if names != (place.group, place.client):
        return "going_away", {"retry_after_ms": 0}
    return None


def _names_on_v2(place: Place, group: str | None, client: str | None, tenant: Tenant) -> tuple[str, str]:
    """What this connection would be called if it came now; an id that was generated keeps its name."""
    return (
        tenant.names.name_of(DEFAULT_GROUP if group is None else group),
        place.client if client is None else tenant.names.name_of(client),
    )


def _names_on_v3(group: str | None, client: str | None, tenant: Tenant) -> tuple[str | None, str | None]:
    return tenant.names.resolve(group or ""), tenant.names.resolve(client or "")
