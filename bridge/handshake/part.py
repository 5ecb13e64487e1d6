"""The handshake room, assembled: preflight, authentication, the handshake of V3, and the connector. No rules."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.part import Broker
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.continuity.part import Continuity
from bridge.handshake.authentication import Authentication
from bridge.handshake.connect import Connector
from bridge.handshake.event_streams import EventStreams
from bridge.handshake.expulsions import Expulsions
from bridge.handshake.key_watch import KeyWatch
from bridge.handshake.preflight import Preflight
from bridge.handshake.presumed_tenant import PresumedTenant
from bridge.handshake.refusal_record import RefusalRecord
from bridge.handshake.subscriptions import Subscriptions
from bridge.handshake.tenant_limits import TenantLimits
from bridge.handshake.v3 import V3Handshake
from bridge.messaging.part import Messaging
from bridge.system.metrics import counter, counters, gauges
from bridge.system.part import Part, Task
from bridge.tenants.part import Tenants


class Handshakes(Part):
    """The handshakes of one process. `most_connections`: the connections that it may hold.

    `limits`: what one connection may say; clients are told so when they ask.
    """

    def __init__(
        self,
        settings: Settings,
        most_connections: int,
        budget: Budget,
        broker: Broker,
        tenants: Tenants,
        messaging: Messaging,
        continuity: Continuity,
    ) -> None:
        self.counts: Final = messaging.publisher.counts
        self.authentication: Final = Authentication(settings, tenants.table.get)
        limits = TenantLimits(settings, most_connections, self.authentication.keys)
        self.tenant_limits: Final = limits
        self.key_watch: Final = KeyWatch(broker.redis, broker.addresses, self.authentication.keys)
        self.preflight: Final = Preflight(
            settings,
            broker.bus,
            broker.subscriber,
            messaging.connections,
            limits,
            lambda: self.authentication.keys.are_read,
            lambda: self.authentication.has_keys,
        )
        presumed = PresumedTenant(self.authentication, tenants.table)
        self.record: Final = RefusalRecord(self.counts, messaging.refused_clients, presumed)
        hearing = broker.subscriber, broker.presence, broker.addresses
        subscriptions = Subscriptions(limits, *hearing, continuity.departures)
        places = messaging.connections, broker.addresses, budget
        self.connector: Final = Connector(subscriptions, *places, continuity, self.record, limits.new_meter)
        self.v3: Final = V3Handshake(self.preflight, self.authentication, tenants.table, self.connector, self.record)
        self.limits: Final[dict[str, int | float]] = _limits(settings)
        self.expulsions: Final = Expulsions(messaging.connections, self.authentication)
        heard = tenants.table, messaging.connections, continuity, budget.outboxes
        self.event_streams: Final = EventStreams(subscriptions, self.preflight, self.authentication, *heard)
        self.event_streams.bounds = settings.outbox_bounds
        self.authentication.keys.changed.add(self.expulsions.look_at_all)

    def configure(self, settings: Settings, most_connections: int, tenants: int) -> None:
        """Go by these settings from now on; `tenants`: how many are configured. Raises `OSError`, as a whole."""
        self.authentication.configure(settings)
        self.authentication.prefetch_keys()
        self.tenant_limits.configure(settings, most_connections, tenants)
        self.preflight.origins.configure(settings)
        self.limits.update(_limits(settings))
        self.event_streams.bounds = settings.outbox_bounds

    def tasks(self) -> Iterable[Task]:
        return self.key_watch, self.event_streams

    async def start(self) -> None:
        self.authentication.prefetch_keys()
        await self.key_watch.look_once()

    def metrics(self) -> Iterable[Metric]:
        words = "Handshakes refused because of the tenant's stage."
        yield counters("bridge_handshakes_turned_away", words, ("tenant",), self.counts.turned_away)
        keys = {"all": len(self.authentication.keys), "redis": len(self.key_watch.table.keys)}
        yield gauges("bridge_api_keys", "API keys that are known.", ("where",), keys)
        yield from self.event_streams.metrics()
        yield counter("bridge_connections_expelled", "Connections whose key or tenant went.", self.expulsions.expelled)
        yield from self.tenant_limits.metrics()


def _limits(settings: Settings) -> dict[str, int | float]:
    return {name: getattr(settings, name) for name in ("max_message_bytes", "messages_per_second", "burst")}
