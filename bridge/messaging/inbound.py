"""From the bus to the listeners of this process, assembled: deliveries, the hub, and the GAP that announces a loss.

Where the clock of this process is wrong, a GAP is by its own clock and by that of Redis, from the earlier to the later:
what was said meanwhile bears the time of whichever process said it.
"""

from collections.abc import Callable
from typing import Final

import structlog

from bridge.broker.addresses import Addresses
from bridge.budget.budget import Budget
from bridge.messaging.deliveries import Deliveries
from bridge.messaging.gaps import gap_message
from bridge.messaging.hub import Hub
from v3.messages import timestamp

log = structlog.get_logger(__name__)


class Inbound:
    """Takes the batches of the subscriber of one process."""

    def __init__(self, budget: Budget, addresses: Addresses, microseconds: Callable[[], int]) -> None:
        """`microseconds` returns the wall clock time, in microseconds since the epoch."""
        self._addresses = addresses
        self._microseconds = microseconds
        self.redis_microseconds: Callable[[], int] = microseconds
        """The same by the clock of Redis, once it is known."""
        self.hub: Final = Hub()
        self.deliveries: Final = Deliveries(self.hub, budget, addresses, self._say_left_out)

    def say_gap(self, silent_seconds: float) -> None:
        """Send a GAP to every listener: the subscriber could not receive from Redis for this long."""
        now = self._microseconds(), self.redis_microseconds()
        since = min(now) - round(silent_seconds * 1_000_000)
        self.hub.tell_everyone([gap_message(timestamp(since), timestamp(max(now)))])

    def _say_left_out(self, tenant: str, since: str) -> None:
        """Send a GAP to the listeners of a tenant whose messages were dropped; to all listeners for `""`."""
        log.warning("messages_left_out", tenant=tenant)
        now = timestamp(max(self._microseconds(), self.redis_microseconds()))
        gap = [gap_message(since, max(since, now))]
        if tenant:
            self.hub.deliver(self._addresses.broadcast(tenant), gap)
        else:
            self.hub.tell_everyone(gap)
