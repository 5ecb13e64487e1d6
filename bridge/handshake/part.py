"""The handshake room, assembled: preflight, authentication, the handshake of V3, and the connector. No rules."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.part import Broker
from bridge.budget.budget import Budget
from bridge.budget.rate import Rate
from bridge.budget.shares import Shares
from bridge.config.settings import Settings
from bridge.handshake.authentication import Authentication
from bridge.handshake.connect import Connector
from bridge.handshake.expulsions import Expulsions
from bridge.handshake.key_watch import KeyWatch
from bridge.handshake.preflight import Preflight
from bridge.handshake.presumed_tenant import PresumedTenant
from bridge.handshake.refusal_record import RefusalRecord
from bridge.handshake.subscriptions import Subscriptions
from bridge.handshake.v3 import V3Handshake
from bridge.messaging.meter import Meter
from bridge.messaging.part import Messaging
from bridge.records.refused_clients import RefusedClients
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
        refused_clients: RefusedClients,
    ) -> None:
        self.counts: Final = messaging.publisher.counts
        self.authentication: Final = Authentication(settings, tenants.table.get)
        self._bounds = most_connections, len(settings.known_tenants())
        self._shares: Final = Shares(most_connections, {})
        self.key_watch: Final = KeyWatch(broker.redis, broker.addresses, self.authentication.keys)
        self.preflight: Final = Preflight(
            settings,
            broker.bus,
            broker.subscriber,
            messaging.connections,
            self._shares,
            lambda: self.authentication.keys.are_read,
            lambda: self.authentication.has_keys,
        )
        self._rate: Final = Rate(settings.messages_per_second, settings.burst)
        self.connector: Final = Connector(
            Subscriptions(self._shares, broker.subscriber, broker.presence, broker.addresses),
            messaging.connections,
            broker.addresses,
            budget,
            partial(Meter, self._rate),
        )
        presumed = PresumedTenant(self.authentication, tenants.table)
        self.record: Final = RefusalRecord(self.counts, refused_clients, presumed)
        self.v3: Final = V3Handshake(self.preflight, self.authentication, tenants.table, self.connector, self.record)
        self.limits: Final[dict[str, int | float]] = _limits(settings)
        self.expulsions: Final = Expulsions(messaging.connections, self.authentication)
        self.authentication.keys.changed.add(self._share)
        self.authentication.keys.changed.add(self.expulsions.look_at_all)
        self._share()

    def configure(self, settings: Settings, most_connections: int, tenants: int) -> None:
        """Go by these settings from now on; `tenants`: how many are configured. Raises `OSError`, as a whole."""
        self.authentication.configure(settings)
        self.authentication.prefetch_keys()
        self._bounds = most_connections, tenants
        self._share()
        self.preflight.origins.configure(settings)
        self._rate.per_second, self._rate.burst = settings.messages_per_second, settings.burst
        self.limits.update(_limits(settings))

    def _share(self) -> None:
        """Have the process shared among tenants, and among keys, where there are several of them."""
        most_connections, tenants = self._bounds
        self._shares.bound(most_connections, {"tenant": tenants > 1, "key": len(self.authentication.keys) > 1})

    def tasks(self) -> Iterable[Task]:
        return (self.key_watch,)

    async def start(self) -> None:
        self.authentication.prefetch_keys()
        await self.key_watch.look_once()

    def metrics(self) -> Iterable[Metric]:
        words = "Handshakes refused because of the tenant's stage."
        yield counters("bridge_handshakes_turned_away", words, ("tenant",), self.counts.turned_away)
        keys = {"all": len(self.authentication.keys), "redis": len(self.key_watch.table.keys)}
        yield gauges("bridge_api_keys", "API keys that are known.", ("where",), keys)
        yield counter("bridge_connections_expelled", "Connections whose key or tenant went.", self.expulsions.expelled)


def _limits(settings: Settings) -> dict[str, int | float]:
    return {name: getattr(settings, name) for name in ("max_message_bytes", "messages_per_second", "burst")}
