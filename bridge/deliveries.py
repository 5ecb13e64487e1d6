"""What was heard on the bus, on its way to the listeners: at once in peace, in turns while one tenant hears too much.

It knows no Redis and writes to no socket: the hub does. What a delivery takes is charged to the tenant that hears it.
While the tenant's account is overdrawn, or it is another's turn, its messages wait here, in order.

Bounded: beyond `MOST_WAITING_BYTES` of one tenant the newest are left out, and its listeners hear a GAP for them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.budget import Holder
from bridge.message import BusMessage
from bridge.sockets.hub import Hub
from bridge.spending import Budget

MOST_WAITING_BYTES: Final = 8_388_608
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
            holder = self._budget.tenant(tenant)
            if self._budget.turns.may_go_on(holder):
                self.hand_on(holder, channel, batch)
                return
            lane = self._lanes[tenant] = _Lane(self, tenant, holder)
        lane.add(channel, batch)

    def flush(self) -> None:
        """Whatever waits, now: nobody will hear anything later."""
        for lane in list(self._lanes.values()):
            lane.flush()

    def hand_on(self, holder: Holder, channel: bytes, batch: Sequence[BusMessage]) -> None:
        """To everyone who listens, charged to the holder."""
        began = perf_counter()
        try:
            self._hub.deliver(channel, batch)
        finally:
            self._budget.turns.spent(holder, 0, 0, perf_counter() - began)

    def wait(self, lane: "_Lane") -> None:
        """This lane's turn is to come."""
        self._budget.turns.wait(lane.holder, lane)

    def over(self, lane: "_Lane") -> None:
        """Nothing waits in this lane any more; since when something was left out, if it was."""
        del self._lanes[lane.tenant]
        if lane.left_out_since is not None:
            self._say_gap(lane.tenant, lane.left_out_since)


class _Lane:
    """What waits for one tenant's listeners."""

    def __init__(self, deliveries: Deliveries, tenant: str, holder: Holder) -> None:
        self._deliveries = deliveries
        self.tenant: Final = tenant
        self.holder: Final = holder
        self.left_out_since: str | None = None
        self._waiting: deque[tuple[bytes, Sequence[BusMessage]]] = deque()
        self._waiting_bytes = 0

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
            if len(self._waiting) == 1:
                self._deliveries.wait(self)

    def flush(self) -> None:
        """Everything, now."""
        while self._waiting:
            channel, piece = self._waiting.popleft()
            self._deliveries.hand_on(self.holder, channel, piece)
        self._waiting_bytes = 0

    def go_on(self) -> None:
        if not self._waiting:
            self._deliveries.over(self)
            return
        channel, piece = self._waiting.popleft()
        self._waiting_bytes -= _size_bytes(piece)
        try:
            self._deliveries.hand_on(self.holder, channel, piece)
        finally:
            if self._waiting:
                self._deliveries.wait(self)
            else:
                self._deliveries.over(self)


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
