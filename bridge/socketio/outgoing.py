"""The packets that wait for the next poll of one client, and their bound in bytes. Pure.

The queue itself takes everything: whoever puts a packet asks `is_too_full` next, and ends the session as that of a slow
consumer. Its last packets, which say so, must still fit.
"""

from collections import deque
from typing import Final

PACKET_BYTES: Final = 64
"""What a packet costs beside its text."""


class Outgoing:
    """Packets of one session in order, the oldest first."""

    def __init__(self, most_bytes: int) -> None:
        self._packets: Final[deque[bytes]] = deque()
        self._most_bytes = most_bytes
        self.bytes = 0
        """The size of all packets, `PACKET_BYTES` added to each."""

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def is_too_full(self) -> bool:
        """Whether more waits than the bound allows."""
        return self.bytes > self._most_bytes

    def put(self, packet: bytes) -> None:
        """Add one packet behind all others."""
        self._packets.append(packet)
        self.bytes += PACKET_BYTES + len(packet)

    def take(self, most: int) -> list[bytes]:
        """Remove the oldest packets, at most so many."""
        taken = [self._packets.popleft() for _ in range(min(most, len(self._packets)))]
        self.bytes -= sum(PACKET_BYTES + len(packet) for packet in taken)
        return taken
