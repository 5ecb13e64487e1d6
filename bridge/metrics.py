"""`/metrics`: what the process has counted, in Prometheus's words. Read when asked for; nothing here counts.

Names carry their unit; labels are bounded, since tenants, protocols, directions, outcomes and codes are closed lists.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bridge.broker.bus import Bus
from bridge.broker.leases import Leases
from bridge.broker.presence import Presence
from bridge.broker.presence_events import PresenceEvents
from bridge.broker.subscriber import Subscriber
from bridge.connections import Connections
from bridge.counts import Counts
from bridge.sockets.websocket_protocol import WebSocketProtocol


class Metrics:
    """A Prometheus collector over the parts of one process."""

    def __init__(
        self,
        counts: Counts,
        bus: Bus,
        subscriber: Subscriber,
        connections: Connections,
        presence: Presence,
        events: PresenceEvents,
        leases: Leases,
    ) -> None:
        self._counts = counts
        self._bus = bus
        self._subscriber = subscriber
        self._connections = connections
        self._presence = presence
        self._events = events
        self._leases = leases
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
        yield from self._of_redis()

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
