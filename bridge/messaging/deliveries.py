"""What was heard on the bus, on its way to the listeners: at once in peace, in turns while one tenant hears too much.

It knows no Redis and writes to no socket: the hub does. What a delivery takes is charged to the tenant that hears it.
While the tenant's account is overdrawn, or it is another's turn, its messages wait here, in order.

Bounded: beyond `MOST_WAITING_BYTES` of one tenant the newest are left out, and its listeners hear a GAP for them.
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
"""So long one tenant's listeners are written to in one go, and one slice more."""
PIECE_BYTES: Final = 65_536
"""So much is handed on in one go; a single message may be larger."""

SayGap = Callable[[str, str], None]
"""Tell a tenant's listeners, all there are for `""`, that they may have missed something since then (a `sent_at`)."""


class Deliveries:
    """The way of one process from its subscriber to its hub."""

    def __init__(self, hub: Hub, budget: Budget, addresses: Addresses, say_gap: SayGap) -> None:
        self._hub = hub
        self._budget = budget
        self._addresses = addresses
        self._say_gap = say_gap
        self._lanes: dict[str, _Lane] = {}
        self.left_out = 0
        """Messages that were not delivered, and announced as a GAP."""

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """A batch that was heard on a channel, now or when its tenant's turn has come."""
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
        """Whatever waits, now: nobody will hear anything later."""
        for lane in self._lanes.values():
            lane.flush()

    def slices(self, channel: bytes, batch: Sequence[BusMessage]) -> Iterator[None]:
        """A batch on its way to everyone who listens."""
        return self._hub.slices(channel, batch)

    def spent(self, holder: Holder, seconds: float) -> None:
        """Charge what a delivery took."""
        self._budget.turns.spent(holder, 0, 0, seconds)

    def wait(self, lane: "_Lane") -> None:
        """This lane's turn is to come."""
        lane.is_queued = True
        self._budget.turns.wait(lane.holder, lane)

    def left_out_in(self, lane: "_Lane", since: str) -> None:
        """Nothing waits in this lane any more, and since then something was left out."""
        self._say_gap(lane.tenant, since)


class _Lane:
    """What waits for one tenant's listeners, in order; and what is under way to some of them."""

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
        self._waiting: deque[tuple[bytes, Sequence[BusMessage]]] = deque()
        self._waiting_bytes = 0
        self._slices: Iterator[None] | None = None
        self.is_queued = False
        """Whether its turn is to come."""

    @property
    def is_under_way(self) -> bool:
        """Whether some have heard what others have not."""
        return self._slices is not None

    def deliver(self, channel: bytes, batch: Sequence[BusMessage]) -> bool:
        """To as many as a turn has time for; whether that was everyone."""
        self._slices = self._deliveries.slices(channel, batch)
        return self._go_on_for(TURN_SECONDS)

    def add(self, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """Behind what waits already; in pieces, so that each turn is short."""
        for piece in _pieces(batch):
            size = _size_bytes(piece)
            if self._waiting_bytes + size > MOST_WAITING_BYTES:
                self.left_out_since = self.left_out_since or piece[0].heard.get("sent_at") or ""
                self._deliveries.left_out += len(piece)
                continue
            self._waiting.append((channel, piece))
            self._waiting_bytes += size

    def flush(self) -> None:
        """Everything, now."""
        while self._begin_next():
            self._go_on_for(inf)

    def go_on(self) -> None:
        """Its turn has come."""
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
        """Whether there is something to go on with."""
        if self._slices is None and self._waiting:
            channel, piece = self._waiting.popleft()
            self._waiting_bytes -= _size_bytes(piece)
            self._slices = self._deliveries.slices(channel, piece)
        return self._slices is not None

    def _go_on_for(self, seconds: float) -> bool:
        """Whether what was under way has reached everyone."""
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
