"""Delivers the messages of the bus to the hub: at once, or tenant by tenant in turns while the process is busy.

It knows no Redis and writes to no socket: the hub does. The time of a delivery is charged to the tenant whose listeners
receive it. While the tenant's account is overdrawn, or other holders' work is due first, its messages wait here, in
order: also those to everybody of every tenant, which are delivered to each tenant for itself.

Bounded: when `MOST_WAITING_BYTES` of one tenant wait, its newest messages are dropped and counted, and the listeners of
their channels are sent a GAP for them.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache, partial
from math import inf
from time import perf_counter
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.message import BusMessage
from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.messaging.hub import Hub
from bridge.messaging.waiting_batches import Piece, WaitingBatches, pieces_of
from bridge.system.observers import Observers

MOST_WAITING_BYTES: Final = 8_388_608
TURN_SECONDS: Final = 0.002
"""Time of one tenant's turn. The slice that is under way when the time is up is still written."""
MOST_CHANNELS: Final = 10_000
"""Channels whose tenants are remembered."""

SayGap = Callable[[Collection[bytes], str], None]
"""Called with channels and a `sent_at`: sends a GAP since then to the listeners of these channels."""


class Deliveries:
    """The queues between the subscriber and the hub of one process, one for each tenant."""

    def __init__(self, hub: Hub, budget: Budget, addresses: Addresses, say_gap: SayGap) -> None:
        self._hub = hub
        self._budget = budget
        self._addresses = addresses
        self.kind_of: Final = addresses.kind_of
        self._tenant_of: Final = lru_cache(MOST_CHANNELS)(addresses.tenant_of)
        self._say_gap = say_gap
        self._lanes: dict[str, _Lane] = {}
        self.left_out = 0
        """How many messages were dropped because a queue was full. A GAP is sent for them."""
        self.leaving_out: Final = Observers[[bytes]]()
        """Called with a channel before messages of it are dropped."""

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Deliver a batch that arrived on a channel: now, or in its tenant's turns."""
        if channel == self._addresses.platform:
            for part in self._hub.parts_of(channel):
                self.deliver(part, batch)
        elif self._hub.has(channel):
            self._deliver_to(self._tenant_of(channel), channel, batch)

    def _deliver_to(self, tenant: str, channel: bytes, batch: Sequence[BusMessage]) -> None:
        lane = self._lanes.get(tenant)
        if lane is None:
            lane = self._lanes[tenant] = _Lane(self, self._budget.tenant(tenant))
        if not lane.is_queued:
            if self._budget.turns.may_go_on(lane.holder) and lane.deliver(channel, batch):
                return
            self.wait(lane)
            if lane.is_under_way:
                return
        lane.add(channel, batch)

    def after_all(self, tenant: str, then: Callable[[], None]) -> None:
        """Call `then` once everything that waits for this tenant's listeners is written: at once if nothing does."""
        if self.is_idle(tenant):
            then()
        else:
            self._lanes[tenant].add_mark(then)

    def between_batches(self, tenants: Iterable[str], then: Callable[[], None]) -> None:
        """Call `then` when no batch of these tenants is written to some of its listeners only: perhaps at once."""
        for tenant in tenants:
            lane = self._lanes.get(tenant)
            if lane is not None and lane.is_under_way:
                lane.add_mark_after_batch(partial(self.between_batches, tenants, then))
                return
        then()

    def is_idle(self, tenant: str) -> bool:
        """Whether nothing waits for this tenant's listeners."""
        lane = self._lanes.get(tenant)
        return lane is None or not lane.is_queued

    def flush(self) -> None:
        """Deliver at once everything that waits: the process stops."""
        for lane in self._lanes.values():
            lane.flush()

    def begin(self, channel: bytes, batch: Sequence[BusMessage]) -> Iterable[None]:
        """Begin to write the batch to the channel's listeners: see `Hub.begin`."""
        return self._hub.begin(channel, batch)

    def spent(self, holder: Holder, seconds: float) -> None:
        """Charge the time of a delivery to this holder."""
        self._budget.turns.spent(holder, 0, 0, seconds)

    def wait(self, lane: "_Lane") -> None:
        """Queue this lane for its next turn."""
        lane.is_queued = True
        self._budget.turns.wait(lane.holder, lane)

    def leave_out(self, lane: "_Lane", channel: bytes, messages: int) -> None:
        """So many messages of a channel are dropped."""
        self.left_out += messages
        lane.left_out_on.add(channel)
        self.leaving_out(channel)

    def left_out_in(self, lane: "_Lane", since: str) -> None:
        """Announce that messages of this lane were dropped since `since`. Called when nothing waits in it any more."""
        self._say_gap(lane.left_out_on, since)
        lane.left_out_on.clear()


class _Lane:
    """The queue of one tenant: batches that wait, in order, and the one that is being delivered in slices."""

    __slots__ = (
        "_deliveries",
        "_slices",
        "_waiting",
        "holder",
        "is_queued",
        "left_out_on",
        "left_out_since",
    )

    def __init__(self, deliveries: Deliveries, holder: Holder) -> None:
        self._deliveries = deliveries
        self.holder: Final = holder
        self.left_out_since: str | None = None
        self.left_out_on: Final[set[bytes]] = set()
        """The channels of what was dropped since then."""
        self._waiting: Final = WaitingBatches(deliveries.kind_of)
        self._slices: Iterable[None] | None = None
        self.is_queued = False
        """Whether the lane is queued for its next turn."""

    @property
    def is_under_way(self) -> bool:
        """Whether a batch was written to some of its listeners and not yet to all."""
        return self._slices is not None

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> bool:
        """Begin to deliver a batch, for the time of one turn; returns whether it was written to all listeners."""
        began = perf_counter()
        try:
            self._write(self._deliveries.begin(channel, batch), began + TURN_SECONDS)
        finally:
            self._deliveries.spent(self.holder, perf_counter() - began)
        return self._slices is None

    def add(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Queue a batch, in pieces, so that each turn is short. What is over the bound is dropped and counted."""
        for piece in pieces_of(channel, batch):
            if self._waiting and self._waiting.size_bytes + piece.size_bytes > MOST_WAITING_BYTES:  # one fits, always
                self.left_out_since = self.left_out_since or piece.messages[0].heard.sent_at or ""
                self._deliveries.leave_out(self, channel, len(piece.messages))
            else:
                self._waiting.add(piece)

    def add_mark(self, then: Callable[[], None]) -> None:
        """Call `then` when everything before it is written."""
        self._waiting.add_mark(then)

    def add_mark_after_batch(self, then: Callable[[], None]) -> None:
        """Call `then` when the batch that is under way is written."""
        self._waiting.add_mark_in_front(then)

    def flush(self) -> None:
        """Deliver everything that waits, without a time limit."""
        self._go_on_for(inf)

    def go_on(self) -> None:
        """Deliver for the time of one turn, then queue again, or announce what was dropped."""
        self.is_queued = False
        try:
            self._go_on_for(TURN_SECONDS)
        finally:
            if self._slices is not None or self._waiting:
                self._deliveries.wait(self)
            elif self.left_out_since is not None:
                since, self.left_out_since = self.left_out_since, None
                self._deliveries.left_out_in(self, since)

    def _go_on_for(self, seconds: float) -> None:
        """Deliver what waits, in its order, for this long and a slice more at most, and charge the time."""
        began = perf_counter()
        ends_at = began + seconds
        try:
            while self._slices is not None or self._waiting:
                self._write(self._next(), ends_at)
                if perf_counter() > ends_at:
                    break
        finally:
            self._deliveries.spent(self.holder, perf_counter() - began)

    def _next(self) -> Iterable[None]:
        """What is under way; otherwise take the next of the queue, and begin with it."""
        slices, self._slices = self._slices, None
        if slices is not None:
            return slices
        first = self._waiting.next()
        if not isinstance(first, Piece):
            first()
            return ()
        return self._deliveries.begin(first.channel, first.messages)

    def _write(self, slices: Iterable[None], ends_at: float) -> None:
        """Write slices until this time. What is not written by then is under way."""
        for _ in slices:
            if perf_counter() > ends_at:
                self._slices = slices
                return
