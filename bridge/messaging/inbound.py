"""From the bus to the listeners of this process, assembled: deliveries, the hub, and the GAP that tells of a loss."""

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
    """What the subscriber of one process hands its batches to."""

    def __init__(self, budget: Budget, addresses: Addresses, microseconds: Callable[[], int]) -> None:
        """`microseconds`: the time of day, since the epoch."""
        self._addresses = addresses
        self._microseconds = microseconds
        self.hub: Final = Hub()
        self.deliveries: Final = Deliveries(self.hub, budget, addresses, self._say_left_out)

    def say_gap(self, silent_seconds: float) -> None:
        """The bus was not heard for so long: everybody may have missed something."""
        now = self._microseconds()
        since = now - round(silent_seconds * 1_000_000)
        self.hub.tell_everyone([gap_message(timestamp(since), timestamp(now))])

    def _say_left_out(self, tenant: str, since: str) -> None:
        """A tenant heard more than it may take of this process: its listeners are told, all there are for `""`."""
        log.warning("messages_left_out", tenant=tenant)
        gap = [gap_message(since, timestamp(self._microseconds()))]
        if tenant:
            self.hub.deliver(self._addresses.broadcast(tenant), gap)
        else:
            self.hub.tell_everyone(gap)
