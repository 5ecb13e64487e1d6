"""What this process said a moment ago, by its bytes: when Redis brings it back it is known, and is not read again.

Pure: whoever keeps it says when time has passed. It never decides what may be said.

Bounded: what is older than two turns is forgotten, and so is what there is no room for; then it is read like any other.
"""

from typing import Final

from bridge.broker.message import BusMessage

MOST_BYTES_PER_TURN: Final = 524_288
"""Of what is on the bus. What was read of it may be some ten times as much."""


class Recent:
    """Messages of this turn and the one before it."""

    __slots__ = ("_before", "_bytes", "_now")

    def __init__(self) -> None:
        self._now: dict[bytes, BusMessage] = {}
        self._before: dict[bytes, BusMessage] = {}
        self._bytes = 0

    def keep(self, data: bytes, message: BusMessage) -> None:
        """What `data` is read as, for the time of at least one turn where there is room."""
        self._bytes += len(data)
        if self._bytes > MOST_BYTES_PER_TURN:
            self.turn()
            self._bytes = len(data)
        self._now[data] = message

    def find(self, data: bytes) -> BusMessage | None:
        """What exactly these bytes are read as, where it is known."""
        return self._now.get(data) or self._before.get(data)

    def turn(self) -> None:
        """Time has passed: what was kept before the last turn is forgotten."""
        self._before, self._now, self._bytes = self._now, {}, 0
