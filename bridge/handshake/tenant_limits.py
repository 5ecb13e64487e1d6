"""What tenants may have of one process: how many connections, and how many handshakes and messages a second.

It counts handshakes, and says which are too many; messages are counted by the meters that it makes for connections. It
answers nobody itself, and ends no connection.

Decided here: as many handshakes as the tenant, or the process, may hold connections may come at once, because all of
its clients come back at once when another process has ended. The rate bounds those who come again and again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Final

from prometheus_client.core import Metric

from bridge.budget.rate import Rate
from bridge.budget.shared_rate import SharedRate
from bridge.budget.shares import Owner, Shares
from bridge.config.settings import Settings
from bridge.handshake.api_keys import ApiKeys
from bridge.messaging.meter import Meter
from bridge.records.refused_clients import NO_TENANT
from bridge.system.metrics import counters

NO_PLACE: Final[Mapping[str, str]] = {
    "share": "Your tenant, key or address holds its share of this process.",
    "tenant": "Your tenant holds as many connections as it may have here.",
}
"""Whose places are all taken -> what the client is told."""
TOO_OFTEN: Final = "Too many of your tenant connect at once: connect again after a pause."


class TenantLimits:
    """The limits of one process, which may hold `most_connections`."""

    def __init__(self, settings: Settings, most_connections: int, keys: ApiKeys) -> None:
        self.shares: Final = Shares(most_connections, {})
        self.handshakes: Final = SharedRate()
        self.messages: Final = SharedRate()
        self._of_connection: Final = Rate(settings.messages_per_second, settings.burst)
        self._keys = keys
        self._without_place: Final[Counter[tuple[str, str]]] = Counter()
        self.configure(settings, most_connections, len(settings.known_tenants()))
        keys.changed.add(self._share)

    def configure(self, settings: Settings, most_connections: int, tenants: int) -> None:
        """Go by these settings from now on. `tenants`: how many are configured; a single one needs no share."""
        self._most, self._has_several_tenants = most_connections, tenants > 1
        self._share()
        most_of = {name: table.max_connections for name, table in settings.tenants.items()}
        own = {name: most for name, most in most_of.items() if most is not None}
        self.shares.bound_tenants(settings.max_connections_per_tenant, own)
        self._of_connection.per_second, self._of_connection.burst = settings.messages_per_second, settings.burst
        process = settings.budget.process.rates
        self.messages.allow(
            _in_a_second(process.messages), lambda tenant: _in_a_second(settings.rates_of(tenant, tenants).messages)
        )
        self.handshakes.allow(
            _in_a_second(process.handshakes, most_connections),
            lambda tenant: _in_a_second(settings.rates_of(tenant, tenants).handshakes, self.shares.most_of(tenant)),
        )

    def _share(self) -> None:
        """Have the places shared among tenants, and among keys, where there are several of them now."""
        self.shares.bound(self._most, {"tenant": self._has_several_tenants, "key": len(self._keys) > 1})

    def new_meter(self, tenant: str) -> Meter:
        """What a new connection of this tenant spends its messages from."""
        return Meter(self._of_connection, self.messages.of(tenant))

    def is_full(self) -> bool:
        """Whether all places are taken: then the handshake for which this is asked counts as refused."""
        if self.shares.is_full:
            self._without_place[NO_TENANT, "process"] += 1
        return self.shares.is_full

    def let_in(self, owner: Owner) -> str | None:
        """Count a handshake of this owner and take a place for its connection, or return the sentence why it gets none.

        Each place that is taken needs its `shares.give_back`.
        """
        whose = "tenant" if self.shares.holds_its_most(owner.tenant) else "share"
        if whose == "tenant" or not self.shares.has_room_for(owner):
            self._without_place[owner.tenant, whose] += 1
            return NO_PLACE[whose]
        if not self.handshakes.of(owner.tenant).spend(monotonic()):
            return TOO_OFTEN
        self.shares.take(owner)
        return None

    def metrics(self) -> Iterable[Metric]:
        """What was refused, and by whose limit."""
        refused = {
            "connections": self._without_place,
            "handshakes": self.handshakes.refused,
            "messages": self.messages.refused,
        }
        numbers = {
            (one, what, whose): number for what, all_ in refused.items() for (one, whose), number in all_.items()
        }
        yield counters("bridge_over_limit", "Refused as too many.", ("tenant", "what", "whose"), numbers)


def _in_a_second(most: int, at_once: int = 1) -> Rate:
    """So many a second; all of these may come at once, or `at_once` if that is more."""
    return Rate(most, max(most, at_once))
