"""`/metrics`: what the process has counted, in Prometheus's words. Read when asked for; nothing here counts.

Names carry their unit; labels are bounded, since tenants, protocols, directions, outcomes and codes are closed lists.
"""

from collections.abc import Iterable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bridge.broker import unreadable
from bridge.budget.budget import Over
from bridge.runtime.logs import lost_lines
from bridge.runtime.process import Process
from bridge.sockets.strangers import REASONS, Strangers
from bridge.sockets.websocket_protocol import WebSocketProtocol
from bridge.tenants.tenant import STAGES


class Metrics:
    """A Prometheus collector over the parts of one process."""

    def __init__(self, process: Process, strangers: Strangers | None = None) -> None:
        self._strangers = strangers
        self._counts = process.counts
        self._bus = process.bus
        self._subscriber = process.subscriber
        self._connections = process.connections
        self._presence = process.presence
        self._events = process.events
        self._leases = process.leases
        self._table = process.table
        self._backlog = process.recording.backlog
        self._evictions = process.evictions
        self._memory = process.memory
        self._guard_watch = process.guard_watch
        self._changes = process.cutover.changes
        self._budget = process.budget
        self._deliveries = process.deliveries
        self._counted = process.added.counted
        self._registry: Final = CollectorRegistry()
        self._registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """All families, as they are now."""
        yield from self._of_connections()
        yield from self._of_messages()
        yield from self._of_migration()
        yield from self._of_redis()
        if self._strangers is not None:
            yield from self._of_sockets(self._strangers)
        yield from self._of_the_log()
        yield from self._of_budget()
        for name, (words, number) in self._counted.items():
            yield CounterMetricFamily(name, words, number())

    def _of_connections(self) -> Iterable[Metric]:
        open_now = GaugeMetricFamily("bridge_connections", "Open connections.", labels=("tenant", "protocol"))
        for labels, number in self._connections.open_by_tenant().items():
            open_now.add_metric(labels, number)
        yield open_now
        accepted = CounterMetricFamily("bridge_connections_accepted", "Connections accepted.", labels=("protocol",))
        for protocol, number in self._counts.accepted.items():
            accepted.add_metric((protocol,), number)
        yield accepted
        refusals = CounterMetricFamily("bridge_refusals", "Refusals by code.", labels=("tenant", "protocol", "code"))
        for refused, number in self._counts.refusals.items():
            refusals.add_metric(refused, number)
        yield refusals

    def _of_messages(self) -> Iterable[Metric]:
        said = CounterMetricFamily("bridge_messages", "Messages said by clients.", labels=("tenant", "protocol"))
        for labels, number in self._counts.messages.items():
            said.add_metric(labels, number)
        yield said
        names = ("tenant", "direction", "outcome")
        conversions = CounterMetricFamily("bridge_conversions", "Conversions by outcome.", labels=names)
        for values, number in self._counts.conversions.items():
            conversions.add_metric(values, number)
        yield conversions
        yield CounterMetricFamily(
            "bridge_deliveries", "Messages written to listeners.", self._connections.hub.deliveries
        )
        errors = self._counts.errors + WebSocketProtocol.errors
        yield CounterMetricFamily("bridge_errors", "Messages that failed unforeseen.", errors)

    def _of_migration(self) -> Iterable[Metric]:
        stage = GaugeMetricFamily("bridge_tenant_stage", "1 for the stage of a tenant.", labels=("tenant", "stage"))
        share = GaugeMetricFamily("bridge_tenant_share_percent", "Share of a tenant in drain.", labels=("tenant",))
        for tenant in self._table.all():
            for name in STAGES:
                stage.add_metric((tenant.name, name), int(tenant.stage == name))
            share.add_metric((tenant.name,), tenant.share if tenant.stage == "drain" else 0)
        yield stage
        yield share
        turned = CounterMetricFamily(
            "bridge_handshakes_turned_away", "Handshakes refused because of the tenant's stage.", labels=("tenant",)
        )
        for name, number in self._counts.turned_away.items():
            turned.add_metric((name,), number)
        yield turned
        yield GaugeMetricFamily("bridge_moves_waiting", "Open sockets whose move is due.", self._evictions.waiting)
        yield CounterMetricFamily("bridge_moves", "Open sockets moved.", self._evictions.evicted)
        yield CounterMetricFamily(
            "bridge_guard_rollbacks", "Steps taken back by a guard.", self._guard_watch.rolled_back
        )
        yield CounterMetricFamily("bridge_guard_failures", "Looks at guards in vain.", self._guard_watch.failures)
        yield CounterMetricFamily(
            "bridge_changes_unreadable", "Lines of records of changes passed over.", self._changes.unreadable
        )
        yield GaugeMetricFamily("bridge_records_waiting_rows", "Rows not yet in Redis.", self._backlog.waiting)
        yield CounterMetricFamily("bridge_records_left_out", "What could not be recorded.", self._backlog.left_out)
        yield CounterMetricFamily("bridge_redis_data_lost", "Times Redis lost its data.", self._memory.losses)

    def _of_redis(self) -> Iterable[Metric]:
        bus, subscriber = self._bus, self._subscriber
        yield GaugeMetricFamily("bridge_bus_up", "1 while Redis takes what is said.", int(bus.is_up))
        yield GaugeMetricFamily("bridge_subscriber_up", "1 while all channels are heard.", int(subscriber.is_up))
        yield GaugeMetricFamily("bridge_channels", "Channels subscribed.", subscriber.channels)
        yield CounterMetricFamily("bridge_bus_published", "Messages handed to Redis.", bus.published)
        yield CounterMetricFamily("bridge_bus_failed", "Messages that Redis is not known to have taken.", bus.failed)
        yield CounterMetricFamily("bridge_bus_received", "Messages that Redis sent.", subscriber.received)
        rejected = CounterMetricFamily("bridge_bus_rejected", "Bus messages not delivered.", labels=("reason",))
        for reason in ("invalid_json", "invalid_message", "too_big", "undeliverable"):
            rejected.add_metric((reason,), subscriber.rejected[reason])
        yield rejected
        yield CounterMetricFamily("bridge_gaps", "Times when messages may have been missed.", subscriber.gaps)
        reconnects = CounterMetricFamily("bridge_redis_reconnects", "Links to Redis lost.", labels=("link",))
        reconnects.add_metric(("bus",), bus.reconnects)
        reconnects.add_metric(("subscriber",), subscriber.reconnects)
        yield reconnects
        yield CounterMetricFamily("bridge_presence_failures", "Presence writes that failed.", self._presence.failures)
        yield CounterMetricFamily(
            "bridge_presence_events_suppressed", "JOIN and LEAVE not said.", self._events.suppressed
        )
        yield CounterMetricFamily("bridge_processes_swept", "Dead processes cleaned up after.", self._leases.swept)
        skipped = CounterMetricFamily(
            "bridge_redis_unreadable", "What others wrote under our names, and was passed over.", labels=("what",)
        )
        for what in unreadable.WHAT:
            skipped.add_metric((what,), unreadable.skipped[what])
        yield skipped

    def _of_sockets(self, strangers: Strangers) -> Iterable[Metric]:
        sockets = GaugeMetricFamily(
            "bridge_sockets", "Open sockets; somebody vouches for them or not.", labels=("kind",)
        )
        sockets.add_metric(("vouched_for",), strangers.vouched_for)
        sockets.add_metric(("stranger",), strangers.strangers)
        yield sockets
        yield GaugeMetricFamily("bridge_sockets_most", "Sockets that may be open.", strangers.most)
        ended = CounterMetricFamily("bridge_sockets_ended", "Sockets ended before their time.", labels=("reason",))
        for reason in REASONS:
            ended.add_metric((reason,), strangers.ended[reason])
        yield ended

    def _of_the_log(self) -> Iterable[Metric]:
        lost = CounterMetricFamily("bridge_log_lines_lost", "Lines of the log that were not written.", labels=("why",))
        for why, number in lost_lines().items():
            lost.add_metric((why,), number)
        yield lost

    def _of_budget(self) -> Iterable[Metric]:
        budget = self._budget
        seconds = CounterMetricFamily("bridge_spent_seconds", "Time that was charged to tenants.", labels=("tenant",))
        size = CounterMetricFamily("bridge_spent_bytes", "Bytes that were read from tenants.", labels=("tenant",))
        for tenant, account in budget.spent_by_tenant().items():
            seconds.add_metric((tenant,), account.spent_milliseconds / 1_000)
            size.add_metric((tenant,), account.spent_bytes)
        yield seconds
        yield size
        over = CounterMetricFamily("bridge_over_budget", "What befell those who were over.", labels=("what",))
        for what in get_args(Over):
            over.add_metric((what,), budget.over[what])
        yield over
        yield CounterMetricFamily("bridge_turns_waited", "Pieces of work that had to wait.", budget.turns.waited)
        yield CounterMetricFamily("bridge_turns_failed", "Pieces of work that failed unforeseen.", budget.turns.errors)
        yield CounterMetricFamily(
            "bridge_messages_left_out", "Messages not delivered, and announced as a GAP.", self._deliveries.left_out
        )
        yield GaugeMetricFamily(
            "bridge_outboxes_waiting_bytes", "Bytes that wait where much does.", budget.outboxes.waiting_bytes
        )
        yield CounterMetricFamily("bridge_outboxes_cut", "Connections cut for all outboxes.", budget.outboxes.cut)
