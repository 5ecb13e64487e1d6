"""A cache of the messages that this process has just published, by their bytes: they need not be parsed on return.

Pure: its owner calls `turn` when time has passed. It never decides what may be published.

Bounded: messages older than two turns are forgotten, and older ones when there is no room. A forgotten message is
parsed like any other.
"""

from typing import Final

from bridge.broker.message import BusMessage

MOST_BYTES_PER_TURN: Final = 524_288
"""Bytes as they are on the bus. The parsed messages may take ten times as much memory."""


class RecentMessages:
    """The messages of this turn and of the one before it."""

    __slots__ = ("_before", "_bytes", "_now")

    def __init__(self) -> None:
        self._now: dict[bytes, BusMessage] = {}
        self._before: dict[bytes, BusMessage] = {}
        self._bytes = 0

    def keep(self, data: bytes, message: BusMessage) -> None:
        """Remember `message` for the bytes `data`, for at least one turn if there is room."""
        self._bytes += len(data)
        if self._bytes > MOST_BYTES_PER_TURN:
            self.turn()
            self._bytes = len(data)
        self._now[data] = message

    def find(self, data: bytes) -> BusMessage | None:
        """The message for exactly these bytes, or `None`."""
        return self._now.get(data) or self._before.get(data)

    def turn(self) -> None:
        """Begin a new turn: messages from before the last turn are forgotten."""
        self._before, self._now, self._bytes = self._now, {}, 0
