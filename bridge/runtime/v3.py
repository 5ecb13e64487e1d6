"""V3 in one process: implements the ports of its sessions, and adds its WebSocket door."""

from collections.abc import Callable
from typing import cast

from fastapi import FastAPI

from bridge.api.errors import require_upgrade
from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place, Presence, Protocol
from bridge.continuity.part import Continuity
from bridge.messaging.routing import listens_on
from bridge.records.counters import Refusals
from bridge.runtime.answers import answers
from bridge.runtime.clock import WallClock
from bridge.runtime.doors import Doors
from bridge.runtime.process import Process
from bridge.tenants.table import TenantTable
from v3 import ports
from v3.websocket_door import PATH, PREFIX, websocket_door


class V3Presence:
    """Implements the port `Presence` of V3."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def refresh(self, guest: ports.Guest) -> None:
        protocol = cast(Protocol, guest.protocol)
        self._presence.refresh(Place(guest.tenant, guest.group_id, guest.client_id, protocol))

    def members(self, guest: ports.Guest, answer: Callable[[bytes | None], None]) -> None:
        self._presence.members(guest.tenant, guest.group_id, answer)


class NamesOfTenants:
    """Implements the port `Names` of V3, with the id maps of the tenants as they are now."""

    def __init__(self, table: TenantTable) -> None:
        self._table = table

    def resolve(self, tenant: str, name: str) -> str | None:
        known = self._table.get(tenant)
        return None if known is None else known.resolve(name)


class PositionsOfGuests:
    """Implements the port `Positions` of V3."""

    def __init__(self, continuity: Continuity, addresses: Addresses) -> None:
        self._continuity = continuity
        self._addresses = addresses

    def cursor(self, guest: ports.Guest, answer: Callable[[str | None], None]) -> None:
        channels = listens_on("v3", guest.tenant, guest.group_id, guest.client_id, self._addresses)
        self._continuity.cursor(channels, answer)


def v3_ports(process: Process) -> ports.Ports:
    """The ports of V3's sessions in this process."""
    return ports.Ports(
        process.messaging.publisher,
        V3Presence(process.broker.presence),
        WallClock(),
        NamesOfTenants(process.tenants.table),
        Refusals(process.records.counts, "v3"),
        PositionsOfGuests(process.continuity, process.broker.addresses),
        answers(process.handshakes.limits, process.tenants.table),
    )


def mount(app: FastAPI, doors: Doors, process: Process) -> None:
    """Add the WebSocket door of V3; over HTTP its path asks for an upgrade."""
    doors.add(PREFIX, websocket_door(process.handshakes.v3, v3_ports(process)))
    require_upgrade(app, PATH)
