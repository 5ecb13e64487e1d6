"""Queue of the packets that wait for the next polls of one client. Pure.

The queue accepts every packet. After `put` the caller checks `is_above_bound`, and then `is_too_slow`. If it is, the
caller drops the packets, tells the client that it is a slow consumer, and ends the session.
"""

from collections import deque
from typing import Final

from bridge.budget.drain import Drain, OutboxBounds

PACKET_BYTES: Final = 64
"""Memory that a packet needs besides its text."""


class Outgoing:
    """The waiting packets of one session, the oldest first."""

    def __init__(self, bounds: OutboxBounds) -> None:
        self._packets: Final[deque[bytes]] = deque()
        self._bounds = bounds
        self._drain = Drain(bounds)
        self.bytes = 0
        """The size of all packets, `PACKET_BYTES` added to each."""

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def is_above_bound(self) -> bool:
        """Whether the waiting packets exceed the bound of a client that is slow."""
        return self.bytes > self._bounds.most_bytes

    def is_too_slow(self, now_seconds: float) -> bool:
        """Whether polls take too little of what waits."""
        return self._drain.is_too_slow(self.bytes, now_seconds)

    def put(self, packet: bytes) -> None:
        """Add one packet at the end."""
        self._packets.append(packet)
        self.bytes += PACKET_BYTES + len(packet)
        self._drain.written_bytes += PACKET_BYTES + len(packet)

    def clear(self) -> None:
        """Drop all packets."""
        self._packets.clear()
        self.bytes = 0

    def take(self, most_packets: int, most_bytes: int) -> list[bytes]:
        """Remove and return the oldest packets, at most so many, of so many bytes; but one, however large it is."""
        taken: list[bytes] = []
        left_bytes = most_bytes
        while self._packets and len(taken) < most_packets and (not taken or len(self._packets[0]) <= left_bytes):
            packet = self._packets.popleft()
            left_bytes -= len(packet)
            self.bytes -= PACKET_BYTES + len(packet)
            taken.append(packet)
        return taken

    def take_all(self) -> list[bytes]:
        """Remove and return all packets."""
        return self.take(len(self._packets), self.bytes)
