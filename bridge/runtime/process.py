"""The parts of one running process: builds them, hands each what it needs, runs them, and ends them in order. No rules.

It knows no path and no door: `app.py` mounts those.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog
from redis.asyncio.connection import ConnectionPool

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.data_loss import Memory
from bridge.broker.leases import Leases
from bridge.broker.link import end_if_cancelled, pool
from bridge.broker.message import FACTOR_OF_MAX_MESSAGE_BYTES
from bridge.broker.presence import Presence
from bridge.broker.presence_events import PresenceEvents
from bridge.broker.reading import reading
from bridge.broker.subscriber import Subscriber
from bridge.budget.budget import Budget
from bridge.budget.shares import Shares
from bridge.config.settings import Settings
from bridge.cutover.cutover import Cutover
from bridge.cutover.evictions import Evictions
from bridge.cutover.guard_watch import GuardWatch
from bridge.handshake.authentication import Authentication
from bridge.handshake.connect import Connector
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Subscriptions
from bridge.handshake.v2 import Credentials, V2Handshake
from bridge.handshake.v3 import V3Handshake
from bridge.messaging.connections import Connections
from bridge.messaging.deliveries import Deliveries
from bridge.messaging.gaps import gap_message
from bridge.messaging.hub import Hub
from bridge.messaging.meter import Meter
from bridge.messaging.publisher import Publisher
from bridge.messaging.v2 import V2Publisher
from bridge.records.backlog import Backlog
from bridge.records.cluster_counts import ClusterCounts
from bridge.records.counters import Counts
from bridge.records.recording import Recording
from bridge.records.redis_loss import RedisLoss
from bridge.records.reports import Reports
from bridge.records.store_reader import StoreReader
from bridge.records.tables import Tables
from bridge.records.v2 import V2Recording
from bridge.runtime.shutdown import end_all
from bridge.system import open_files
from bridge.system.housekeeping import Housekeeping
from bridge.tenants.change_log_watch import ChangeLogWatch
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from v3.messages import timestamp

RESERVED_FILES: Final = 256
MOST_FILES: Final = 65_536
"""A limit beyond this says nothing of how many connections a process can bear."""
PART_PAUSE_SECONDS: Final = 1.0
LAST_WORDS_SECONDS: Final = 0.5
END_SECONDS: Final = 1.0
SCRIPT_TRIPS: Final = 2  # one more where Redis does not know the script yet

log = structlog.get_logger(__name__)


class Part(Protocol):
    """What goes on by itself for as long as the process runs."""

    async def run(self) -> None: ...


class WallClock:
    """The time of day."""

    def microseconds(self) -> int:
        return time.time_ns() // 1_000


class Added:
    """What is added to a process that not every one has: a door, or siblings."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ends: list[Callable[[], None]] = []
        """Called, synchronously, once everyone was told that the process stops."""
        self.counted: dict[str, tuple[str, Callable[[], int]]] = {}
        """The name of a counter -> what it counts, and its number."""


class Process:
    """The parts of one running process. Built inside its event loop; `run` owns every task."""

    def __init__(self, settings: Settings, redis_url: str, budget: Budget) -> None:  # noqa: PLR0915 - a line a part
        clock = self.clock = WallClock()
        addresses = self.addresses = Addresses(settings.prefix)
        name = secrets.token_hex(6)
        links = pool(redis_url, f"aether-bridge-{name}")
        self.settings: Final = settings
        self.counts: Final = Counts()
        self.hub: Final = Hub()
        self.redis: Final = reading(redis_url)
        self.bus: Final = Bus(links, addresses.probe)
        self.deliveries: Final = Deliveries(self.hub, budget, addresses, self._announce_left_out)
        self.subscriber: Final = self._new_subscriber(links)
        self.events: Final = PresenceEvents(self.bus, addresses, clock.microseconds, settings.presence_events_members)
        self.presence: Final = Presence(
            self.bus, addresses, name, self.events, clock.microseconds, settings.presence_seconds
        )
        self.leases: Final = Leases(self.bus, addresses, name, self.presence)
        self.connections: Final = Connections(self.hub, self.presence, self.counts, time.time)
        self.table: Final = TenantTable(self.redis, addresses, settings.known_tenants(), self._tenants_here)
        self.evictions: Final = Evictions(self.connections, self.table.get, settings.moves_per_second)
        tables = Tables.bounded(settings.census_clients, settings.census_days)
        backlog = Backlog(is_kept=settings.records)
        self.v2_recording: Final = V2Recording(self.bus, addresses, tables, backlog, self.counts, self._words_of)
        self.recording: Final = Recording(
            self.bus,
            addresses,
            tables,
            backlog,
            self.counts,
            self.connections.open_by_tenant,
            self.v2_recording,
        )
        self.cluster_counts: Final = ClusterCounts(self.bus, addresses, name, self._counted)
        reader = StoreReader(self.redis, addresses, tables)
        self.reports: Final = Reports(reader)
        self.cutover: Final = Cutover(reader, self.reports.turns)
        self.guard_watch: Final = GuardWatch(self.redis, addresses, self.table, self.cutover.guards)
        self.change_log_watch: Final = ChangeLogWatch(self.bus, addresses, self.table.all)
        self.memory: Final = Memory(self.bus, addresses, self._now)
        self.added: Final = Added()
        self.authentication: Final = Authentication(settings, self.table.get)
        self.publisher: Final = Publisher(
            self.bus,
            addresses,
            self.table,
            self.counts,
            self.recording.recorder,
            self._missed_here,
            self.subscriber.expect,
        )
        self.v2_publisher: Final = V2Publisher(
            self.publisher, addresses, self.table, self.counts, self.recording.recorder
        )
        self._build_handshake(settings, budget)
        self._follow()

    def _build_handshake(self, settings: Settings, budget: Budget) -> None:
        self.budget = budget
        most = settings.max_connections or _as_open_files_allow()
        shares = Shares(most, {"tenant": len(settings.known_tenants()) > 1, "key": len(settings.keys) > 1})
        self.preflight = Preflight(settings, self.bus, self.subscriber, self.connections, shares)
        connector = Connector(
            Subscriptions(shares, self.subscriber, self.presence, self.addresses),
            self.connections,
            self.addresses,
            self.budget,
            partial(Meter, settings.messages_per_second, settings.burst),
        )
        self.v3_handshake = V3Handshake(self.preflight, self.authentication, self.table, connector, self.counts)
        self.v2_handshake = V2Handshake(
            self.preflight,
            Credentials(settings, self.authentication, self.table, self.preflight.origins),
            self.table,
            connector,
            self.counts,
            self.v2_recording.turned_away.add,
        )

    def _new_subscriber(self, links: ConnectionPool) -> Subscriber:
        return Subscriber(
            links,
            self.deliveries.deliver,
            self._announce_gap,
            self._now,
            self.settings.max_message_bytes * FACTOR_OF_MAX_MESSAGE_BYTES,
        )

    def _follow(self) -> None:
        """Who is told of what."""
        recorder, v2 = self.recording.recorder, self.v2_recording
        loss = RedisLoss(self.bus, self.addresses, self.table, recorder, self._now)
        self.table.changed.add(self.evictions.apply)
        self.v2_publisher.frame_read.add(v2.frame_keys.read)
        self.recording.writer.lost.add(loss.table_lost)
        self.change_log_watch.lost.add(loss.change_logs_lost)
        self.memory.lost.add(loss.data_lost)
        self.leases.forgotten.add(self.memory.look)
        self.connections.begun.add(
            lambda one: recorder.arrived(
                one.facts.place.tenant,
                one.facts.visitor,
                one.facts.user_agent,
                one.facts.speaks_as,
                hears_since=one.facts.hears_since,
            )
        )
        self.connections.ended.add(
            lambda one: recorder.left(one.facts.place.tenant, one.facts.visitor, one.facts.speaks_as)
        )

    def _now(self) -> str:
        return timestamp(self.clock.microseconds())

    def _tenants_here(self) -> set[str]:
        return {tenant for tenant, _ in self.connections.open_by_tenant()}

    def _counted(self) -> dict[str, dict[tuple[str, str], int]]:
        return {"connections": self.connections.open_by_tenant(), "messages": dict(self.counts.messages)}

    def _words_of(self, tenant: str) -> frozenset[str]:
        return (self.table.get(tenant) or Tenant(tenant)).dialect.words

    def _announce_gap(self, silent_seconds: float) -> None:
        now = self.clock.microseconds()
        message = gap_message(timestamp(now - round(silent_seconds * 1_000_000)), timestamp(now))
        self.hub.tell_everyone([message])

    def _announce_left_out(self, tenant: str, since: str) -> None:
        """A tenant heard more than it may take of this process: its listeners are told."""
        log.warning("messages_left_out", tenant=tenant)
        gap = [gap_message(since, self._now())]
        if tenant:
            self.hub.deliver(self.addresses.broadcast(tenant), gap)
        else:
            self.hub.tell_everyone(gap)

    def _missed_here(self, channel: bytes) -> bool:
        """Whether somebody here listens on a channel that Redis may not know of now."""
        return not self.subscriber.is_up and self.hub.has(channel)

    async def run(self) -> None:
        """Everything that goes on by itself. Ends by cancellation."""
        tasks = [asyncio.create_task(self._keep(part), name=type(part).__name__) for part in self._parts()]
        try:
            await asyncio.gather(*tasks)
        finally:
            await end_all(tasks, END_SECONDS)

    async def _keep(self, part: Part) -> None:
        """A part that fails begins anew: whatever brought it down must not end everybody's connection."""
        while True:
            try:
                await part.run()
            except Exception:
                self.counts.errors += 1
                log.exception("part_failed", part=type(part).__name__)
            end_if_cancelled()
            await asyncio.sleep(PART_PAUSE_SECONDS)

    def _parts(self) -> tuple[Part, ...]:
        return (
            self.bus,
            self.subscriber,
            self.presence,
            self.leases,
            self.table,
            self.evictions,
            self.cluster_counts,
            self.recording.writer,
            self.guard_watch,
            self.change_log_watch,
            self.budget.outboxes,
            Housekeeping(self.connections, lambda: self.reports.turns.is_any_made),
            *self.added.parts,
        )

    async def drain(self) -> None:
        """Send everyone away politely, then not; in `drain_seconds` at most."""
        self.deliveries.flush()
        await self.connections.close_all(max(0.0, self.settings.drain_seconds - LAST_WORDS_SECONDS))
        for end in self.added.ends:
            end()
        for connection in self.connections:
            connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self._say_last_words()

    async def _say_last_words(self) -> None:
        """LEAVE for everyone, once Redis has told for whom it is due."""
        await self.presence.wait_until_empty()
        self.recording.writer.flush()
        for _ in range(SCRIPT_TRIPS):
            await self.bus.wait_until_answered()
        self.events.flush()
        self.leases.end()
        await self.bus.wait_until_answered()


def _as_open_files_allow() -> int:
    soft, _ = open_files.limits()
    return max(64, min(soft, MOST_FILES) - RESERVED_FILES)
