"""Queue of the packets that wait for the next poll of one client, with a bound in bytes. Pure.

The queue accepts every packet. After `put` the caller checks `is_too_full`. If it is, the caller drops the packets,
tells the client that it is a slow consumer, and ends the session.
"""

from collections import deque
from typing import Final

PACKET_BYTES: Final = 64
"""Memory that a packet needs besides its text."""


class Outgoing:
    """The waiting packets of one session, the oldest first."""

    def __init__(self, most_bytes: int) -> None:
        self._packets: Final[deque[bytes]] = deque()
        self._most_bytes = most_bytes
        self.bytes = 0
        """The size of all packets, `PACKET_BYTES` added to each."""

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def is_too_full(self) -> bool:
        """Whether the waiting packets exceed the bound."""
        return self.bytes > self._most_bytes

    def put(self, packet: bytes) -> None:
        """Add one packet at the end."""
        self._packets.append(packet)
        self.bytes += PACKET_BYTES + len(packet)

    def clear(self) -> None:
        """Drop all packets."""
        self._packets.clear()
        self.bytes = 0

    def take(self, most: int) -> list[bytes]:
        """Remove and return the oldest packets, at most `most`."""
        taken = [self._packets.popleft() for _ in range(min(most, len(self._packets)))]
        self.bytes -= sum(PACKET_BYTES + len(packet) for packet in taken)
        return taken
