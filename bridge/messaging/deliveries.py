"""Delivers the messages of the bus to the hub: at once, or tenant by tenant in turns while the process is busy.

It knows no Redis and writes to no socket: the hub does. The time of a delivery is charged to the tenant whose listeners
receive it. While the tenant's account is overdrawn, or other holders' work is due first, its messages wait here, in
order.

Bounded: when `MOST_WAITING_BYTES` of one tenant wait, its newest messages are dropped and counted, and its listeners
are sent a GAP for them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf
from time import perf_counter
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.message import BusMessage
from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.messaging.hub import Hub

MOST_WAITING_BYTES: Final = 8_388_608
TURN_SECONDS: Final = 0.002
"""Time of one tenant's turn. The slice that is under way when the time is up is still written."""
PIECE_BYTES: Final = 65_536
"""A batch that must wait is split into pieces of at most this size. A single message may be larger."""

SayGap = Callable[[str, str], None]
"""Called with a tenant and a `sent_at`: sends a GAP since then to the tenant's listeners, or to all for `""`."""


class Deliveries:
    """The queues between the subscriber and the hub of one process, one for each tenant."""

    def __init__(self, hub: Hub, budget: Budget, addresses: Addresses, say_gap: SayGap) -> None:
        self._hub = hub
        self._budget = budget
        self._addresses = addresses
        self._say_gap = say_gap
        self._lanes: dict[str, _Lane] = {}
        self.left_out = 0
        """How many messages were dropped because a queue was full. A GAP is sent for them."""

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Deliver a batch that arrived on a channel: now, or in its tenant's turns."""
        if not self._hub.has(channel):
            return
        tenant = self._addresses.tenant_of(channel)
        lane = self._lanes.get(tenant)
        if lane is None:
            lane = self._lanes[tenant] = _Lane(self, tenant, self._budget.tenant(tenant))
        if not lane.is_queued:
            if self._budget.turns.may_go_on(lane.holder) and lane.deliver(channel, batch):
                return
            self.wait(lane)
            if lane.is_under_way:
                return
        lane.add(channel, batch)

    def flush(self) -> None:
        """Deliver at once everything that waits: the process stops."""
        for lane in self._lanes.values():
            lane.flush()

    def slices(self, channel: bytes, batch: Sequence[BusMessage]) -> Iterator[None]:
        """An iterator that writes the batch to the channel's listeners, one slice of them at each step."""
        return self._hub.slices(channel, batch)

    def spent(self, holder: Holder, seconds: float) -> None:
        """Charge the time of a delivery to this holder."""
        self._budget.turns.spent(holder, 0, 0, seconds)

    def wait(self, lane: "_Lane") -> None:
        """Queue this lane for its next turn."""
        lane.is_queued = True
        self._budget.turns.wait(lane.holder, lane)

    def left_out_in(self, lane: "_Lane", since: str) -> None:
        """Announce that messages of this lane were dropped since `since`. Called when nothing waits in it any more."""
        self._say_gap(lane.tenant, since)


class _Lane:
    """The queue of one tenant: batches that wait, in order, and the one that is being delivered in slices."""

    __slots__ = (
        "_deliveries",
        "_slices",
        "_waiting",
        "_waiting_bytes",
        "holder",
        "is_queued",
        "left_out_since",
        "tenant",
    )

    def __init__(self, deliveries: Deliveries, tenant: str, holder: Holder) -> None:
        self._deliveries = deliveries
        self.tenant: Final = tenant
        self.holder: Final = holder
        self.left_out_since: str | None = None
        self._waiting: deque[tuple[bytes, Sequence[BusMessage], int]] = deque()
        """Channel, messages, and their size in bytes."""
        self._waiting_bytes = 0
        self._slices: Iterator[None] | None = None
        self.is_queued = False
        """Whether the lane is queued for its next turn."""

    @property
    def is_under_way(self) -> bool:
        """Whether a batch was written to some of its listeners and not yet to all."""
        return self._slices is not None

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> bool:
        """Begin to deliver a batch, for the time of one turn; returns whether it was written to all listeners."""
        self._slices = self._deliveries.slices(channel, batch)
        return self._go_on_for(TURN_SECONDS)

    def add(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Queue a batch, in pieces, so that each turn is short. What is over the bound is dropped and counted."""
        for piece in _pieces(batch):
            size = _size_bytes(piece)
            if self._waiting and self._waiting_bytes + size > MOST_WAITING_BYTES:  # one fits, however large
                self.left_out_since = self.left_out_since or piece[0].heard.get("sent_at") or ""
                self._deliveries.left_out += len(piece)
                continue
            self._waiting.append((channel, piece, size))
            self._waiting_bytes += size

    def flush(self) -> None:
        """Deliver everything that waits, without a time limit."""
        while self._begin_next():
            self._go_on_for(inf)

    def go_on(self) -> None:
        """Deliver for the time of one turn, then queue again, or announce what was dropped."""
        self.is_queued = False
        try:
            if self._begin_next():
                self._go_on_for(TURN_SECONDS)
        finally:
            if self._slices is not None or self._waiting:
                self._deliveries.wait(self)
            elif self.left_out_since is not None:
                since, self.left_out_since = self.left_out_since, None
                self._deliveries.left_out_in(self, since)

    def _begin_next(self) -> bool:
        """Take the next piece of the queue if none is under way; returns whether there is one to deliver."""
        if self._slices is None and self._waiting:
            channel, piece, size = self._waiting.popleft()
            self._waiting_bytes -= size
            self._slices = self._deliveries.slices(channel, piece)
        return self._slices is not None

    def _go_on_for(self, seconds: float) -> bool:
        """Write slices for at most this long, and charge the time; returns whether all were written."""
        slices, self._slices = self._slices, None
        began = perf_counter()
        try:
            for _ in slices or ():
                if perf_counter() - began > seconds:
                    self._slices = slices
                    break
        finally:
            self._deliveries.spent(self.holder, perf_counter() - began)
        return self._slices is None


def _size_bytes(batch: Sequence[BusMessage]) -> int:
    return sum(len(message.line) + len(message.v2_text or b"") for message in batch)


def _pieces(batch: Sequence[BusMessage]) -> list[list[BusMessage]]:
    pieces: list[list[BusMessage]] = [[]]
    size = 0
    for message in batch:
        size += len(message.line)
        if size > PIECE_BYTES and pieces[-1]:
            pieces.append([])
            size = len(message.line)
        pieces[-1].append(message)
    return pieces
