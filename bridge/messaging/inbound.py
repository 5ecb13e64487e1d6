"""From the bus to the listeners of this process, assembled: deliveries, the hub, and the GAP that announces a loss.

Where the clock of this process is wrong, a GAP is by its own clock and by that of Redis, from the earlier to the later:
what was said meanwhile bears the time of whichever process said it.
"""

from collections.abc import Callable, Collection
from typing import Final

import structlog

from bridge.broker.addresses import Addresses
from bridge.broker.message import BusMessage
from bridge.budget.budget import Budget
from bridge.messaging.deliveries import Deliveries
from bridge.messaging.gaps import gap_message
from bridge.messaging.hub import Hub
from v3.messages import timestamp

ON_THE_WAY_SECONDS: Final = 2.0
"""So long after its `sent_at` a message may reach Redis; later, its sender is told `bus_down`."""

log = structlog.get_logger(__name__)


class Inbound:
    """Takes the batches of the subscriber of one process."""

    def __init__(self, budget: Budget, addresses: Addresses, microseconds: Callable[[], int]) -> None:
        """`microseconds` returns the wall clock time, in microseconds since the epoch."""
        self._addresses = addresses
        self.microseconds: Final = microseconds
        self.redis_microseconds: Callable[[], int] = microseconds
        """The same by the clock of Redis, once it is known."""
        self.hub: Final = Hub()
        self.deliveries: Final = Deliveries(self.hub, budget, addresses, self._say_left_out)

    def say_gap(self, silent_seconds: float) -> None:
        """Send a GAP to every listener: the subscriber could not receive from Redis for this long."""
        self.hub.tell_everyone([self._gap(silent_seconds)])

    def say_gap_on(self, channels: Collection[bytes], silent_seconds: float) -> None:
        """Send a GAP to the listeners of these channels alone."""
        heard_on = [part for channel in channels for part in (*self.hub.parts_of(channel), channel)]
        self.hub.tell_listeners(heard_on, [self._gap(silent_seconds)])

    def _gap(self, silent_seconds: float) -> BusMessage:
        now = self.microseconds(), self.redis_microseconds()
        since = min(now) - round((silent_seconds + ON_THE_WAY_SECONDS) * 1_000_000)
        return gap_message(timestamp(since), timestamp(max(now)))

    def _say_left_out(self, channels: Collection[bytes], since: str) -> None:
        """Send a GAP to the listeners of these channels, messages of which were dropped."""
        log.warning("messages_left_out", tenant=self._addresses.tenant_of(min(channels)))  # one tenant's, all of them
        now = timestamp(max(self.microseconds(), self.redis_microseconds()))
        self.hub.tell_listeners(channels, [gap_message(since, max(since, now))])
