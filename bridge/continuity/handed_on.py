"""Up to where everything has been handed to the listeners of a connection's channels: its positions. No rules.

Everything that has arrived from Redis is handed on in order, but perhaps not at once: what waits for its tenant's turn
has arrived and is not handed on. A batch whose delivery has begun may be written to one listener and not to another:
so positions are looked at between batches.
"""

from collections.abc import Callable, Sequence
from functools import partial

from bridge.broker.addresses import Addresses, said_on
from bridge.broker.arrivals import Arrivals
from bridge.broker.watermarks import Watermarks
from bridge.messaging.deliveries import Deliveries
from bridge.messaging.hub import Hub


class HandedOn:
    """What this process has handed on."""

    def __init__(
        self, watermarks: Watermarks, arrivals: Arrivals, deliveries: Deliveries, hub: Hub, addresses: Addresses
    ) -> None:
        self._watermarks = watermarks
        self._arrivals = arrivals
        self._deliveries = deliveries
        self._hub = hub
        self._addresses = addresses

    def ask(self, channels: Sequence[bytes], reached: Callable[[int], None]) -> None:
        """Call `reached` with a number once everything up to it is handed to these channels' listeners.

        It is called between batches of theirs; with 0 if that cannot be known.
        """
        self._watermarks.ask(lambda number: self.after_arrived(channels, partial(reached, number)))

    def after_arrived(self, channels: Sequence[bytes], then: Callable[[], None]) -> None:
        """Call `then` once everything that has arrived by now is handed to these channels' listeners."""
        tenants = self._tenants(channels)
        waiting = set(tenants)

        def is_through(tenant: str) -> None:
            waiting.discard(tenant)
            if not waiting:
                self._deliveries.between_batches(tenants, then)

        for tenant in tenants:
            self._deliveries.after_all(tenant, partial(is_through, tenant))

    def between_batches(self, channels: Sequence[bytes], then: Callable[[], None]) -> None:
        """Call `then` when no batch of theirs is handed to some of its listeners and not to all: perhaps now."""
        self._deliveries.between_batches(self._tenants(channels), then)

    def now(self, channels: Sequence[bytes]) -> list[int] | None:
        """The positions of these channels, without asking Redis; `None` if one of them is not known."""
        if not all(map(self._deliveries.is_idle, self._tenants(channels))):
            return None
        numbers = [self._arrivals.position(said_on(channel)) for channel in channels]
        return numbers if all(numbers) else None

    def numbers(self, channels: Sequence[bytes], watermark: int) -> list[int]:
        """The position on each channel now, between batches. `watermark`: up to there everything was handed on."""
        return [max(watermark, self._hub.number_of(channel)) for channel in channels]

    def _tenants(self, channels: Sequence[bytes]) -> set[str]:
        return {self._addresses.tenant_of(channel) for channel in channels}
