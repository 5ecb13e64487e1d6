"""The handshake room, assembled: preflight, authentication, the handshake of V3, and the connector. No rules."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.part import Broker
from bridge.budget.budget import Budget
from bridge.budget.shares import Kind, Shares
from bridge.config.settings import Settings
from bridge.handshake.authentication import Authentication
from bridge.handshake.connect import Connector
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Subscriptions
from bridge.handshake.v3 import V3Handshake
from bridge.messaging.meter import Meter
from bridge.messaging.part import Messaging
from bridge.system.metrics import counters
from bridge.system.part import Part
from bridge.tenants.part import Tenants


class Handshakes(Part):
    """The handshakes of one process. `most_connections`: the connections that it may hold."""

    def __init__(
        self,
        settings: Settings,
        most_connections: int,
        budget: Budget,
        broker: Broker,
        tenants: Tenants,
        messaging: Messaging,
    ) -> None:
        self.counts: Final = messaging.publisher.counts
        several: dict[Kind, bool] = {"tenant": len(settings.known_tenants()) > 1, "key": len(settings.keys) > 1}
        shares = Shares(most_connections, several)
        self.authentication: Final = Authentication(settings, tenants.table.get)
        self.preflight: Final = Preflight(settings, broker.bus, broker.subscriber, messaging.connections, shares)
        self.connector: Final = Connector(
            Subscriptions(shares, broker.subscriber, broker.presence, broker.addresses),
            messaging.connections,
            broker.addresses,
            budget,
            partial(Meter, settings.messages_per_second, settings.burst),
        )
        self.v3: Final = V3Handshake(self.preflight, self.authentication, tenants.table, self.connector, self.counts)

    async def start(self) -> None:
        self.authentication.prefetch_keys()

    def metrics(self) -> Iterable[Metric]:
        words = "Handshakes refused because of the tenant's stage."
        yield counters("bridge_handshakes_turned_away", words, ("tenant",), self.counts.turned_away)
