"""V3 in one process: what its sessions need from outside, and where it is mounted."""

from collections.abc import Callable
from typing import cast

from fastapi import FastAPI

from bridge.api.errors import require_upgrade
from bridge.broker.presence import Place, Presence, Protocol
from bridge.records.counters import Refusals
from bridge.runtime.clock import WallClock
from bridge.runtime.process import Process
from bridge.tenants.table import TenantTable
from v3 import ports
from v3.websocket_door import PATH, websocket_door


class V3Presence:
    """Presence in the words of V3's port."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def refresh(self, guest: ports.Guest) -> None:
        protocol = cast(Protocol, guest.protocol)
        self._presence.refresh(Place(guest.tenant, guest.group_id, guest.client_id, protocol))

    def members(self, guest: ports.Guest, answer: Callable[[bytes | None], None]) -> None:
        self._presence.members(guest.tenant, guest.group_id, answer)


class NamesOfTenants:
    """What a client id means, by the tenant's names as they are now."""

    def __init__(self, table: TenantTable) -> None:
        self._table = table

    def resolve(self, tenant: str, name: str) -> str | None:
        known = self._table.get(tenant)
        return None if known is None else known.names.resolve(name)


def v3_ports(process: Process) -> ports.Ports:
    """What the sessions of V3 need."""
    return ports.Ports(
        process.messaging.publisher,
        V3Presence(process.broker.presence),
        WallClock(),
        NamesOfTenants(process.tenants.table),
        Refusals(process.records.counts, "v3"),
    )


def mount(app: FastAPI, process: Process) -> None:
    """Add the path of V3."""
    app.include_router(websocket_door(process.handshakes.v3, v3_ports(process)))
    require_upgrade(app, PATH)
