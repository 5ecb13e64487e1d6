"""All of V2 in one process, assembled: handshake, publisher, records, the cutover to V3, and its routes.

This module is deleted together with V2.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, cast

from fastapi import FastAPI
from prometheus_client.core import Metric

from bridge.admin import v2 as admin
from bridge.admin.service import TenantService
from bridge.api import playground
from bridge.api.errors import require_upgrade
from bridge.broker.part import Broker
from bridge.broker.presence import Place, Presence, Protocol
from bridge.config.settings import Settings
from bridge.cutover.change_lines import ChangeLines
from bridge.cutover.cutover import Cutover
from bridge.cutover.evictions import Evictions
from bridge.cutover.guard_watch import GuardWatch
from bridge.handshake.part import Handshakes
from bridge.handshake.v2 import Credentials, V2Handshake
from bridge.messaging.part import Messaging
from bridge.messaging.v2 import V2Publisher
from bridge.records.counters import Refusals
from bridge.records.part import Records
from bridge.records.v2 import V2Recording
from bridge.runtime.clock import WallClock
from bridge.runtime.doors import Doors
from bridge.system.metrics import counter, counters, gauge
from bridge.system.part import Part, Task
from bridge.tenants.part import Tenants
from legacy_v2 import ports
from legacy_v2.websocket_door import PREFIXES, websocket_door


class V2Presence:
    """Implements the port `Presence` of V2."""

    def __init__(self, presence: Presence) -> None:
        self._touch = presence.touch

    def sign_of_life(self, guest: ports.Guest) -> Callable[[], None]:
        protocol = cast(Protocol, guest.protocol)
        return partial(self._touch, Place(guest.tenant, guest.group_name, guest.client_name, protocol))


class V2(Part):
    """The parts of V2, and the cutover that moves its tenants to V3."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        tenants: Tenants,
        records: Records,
        messaging: Messaging,
        handshakes: Handshakes,
    ) -> None:
        self._table = tenants.table
        self._counts = records.counts
        recording = V2Recording(records.tables, records.backlog, records.counts, self._words_of, broker.clock.seconds)
        records.writer.add(recording)
        of_records = records.counts, records.recorder, recording.frame_keys.read
        publisher = V2Publisher(messaging.publisher, broker.addresses, tenants.table, *of_records)
        preflight = handshakes.preflight
        self.handshake: Final = V2Handshake(
            preflight,
            Credentials(settings, handshakes.authentication, tenants.table, preflight.origins),
            tenants.table,
            handshakes.connector,
            records.counts,
            handshakes.record,
            handshakes.connector.continuity.departures,
        )
        self.cutover: Final = Cutover(records.reader, records.reports.turns, has_records=settings.records)
        self.evictions: Final = Evictions(messaging.connections, tenants.table.get, settings.moves_per_second)
        tenants.table.changed.add(self.evictions.apply)
        self.change_lines: Final = ChangeLines(broker.redis, broker.addresses)
        self.guard_watch: Final = GuardWatch(records.reader, tenants.table, self.cutover.guards)
        self.ports: Final = ports.Ports(
            publisher, V2Presence(broker.presence), WallClock(), Refusals(records.counts, "v2")
        )

    def mount(self, app: FastAPI, doors: Doors, tenants: TenantService, *, has_page: bool) -> None:
        """Add the WebSocket doors of V2, the admin routes of the cutover, and with `has_page` the playground."""
        for prefix in PREFIXES:
            doors.add(prefix, websocket_door(self.handshake, self.ports))
        require_upgrade(app, *(prefix + rest for prefix in PREFIXES for rest in ("", "/{rest:path}")))
        app.include_router(admin.router(admin.TenantChanges(tenants, self.cutover)))
        if has_page:
            playground.mount(app, self._table)

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self.handshake.credentials.configure(settings)
        self.evictions.set_pace(settings.moves_per_second)

    async def start(self) -> None:
        self._table.changed.add(self.change_lines.changed)  # where the tenants stand at the start is no change

    def tasks(self) -> Iterable[Task]:
        return self.evictions, self.guard_watch, self.change_lines

    def metrics(self) -> Iterable[Metric]:
        labels = ("tenant", "direction", "outcome")
        yield counters("bridge_conversions", "Conversions by outcome.", labels, self._counts.conversions)
        yield gauge("bridge_moves_waiting", "Open sockets whose move is due.", self.evictions.waiting)
        yield counter("bridge_moves", "Open sockets moved.", self.evictions.evicted)
        watch = self.guard_watch
        yield counter("bridge_guard_rollbacks", "Steps taken back by a guard.", watch.rolled_back)
        yield counter("bridge_guard_failures", "Looks at guards in vain.", watch.failures)
        unreadable = self.cutover.changes.unreadable
        yield counter("bridge_changes_unreadable", "Lines of records of changes passed over.", unreadable)

    def _words_of(self, tenant: str) -> frozenset[str]:
        """The words in V2 frames that the tenant's dialect knows."""
        return self._table.of(tenant).dialect.words
