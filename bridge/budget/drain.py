"""Whether a connection takes what waits for it fast enough: on bytes, and on time without progress. Pure.

Slow means not draining. A burst that a healthy client is still taking ends nobody; a client that reads nothing, or a
trickle, is slow. Callers pass in the time, and what was written.
"""

from typing import Final, NamedTuple

MOST_TIMES: Final = 4
"""A connection for which more than so many times its bound waits is slow, whatever it drains: memory is bounded."""


class OutboxBounds(NamedTuple):
    """How much may wait for one connection, and how fast it must drain while more waits; 0: at any speed."""

    most_bytes: int = 1_048_576
    drain_bytes_per_second: float = 131_072

    @property
    def seconds(self) -> float:
        """How long draining `most_bytes` may take."""
        return self.most_bytes / self.drain_bytes_per_second if self.drain_bytes_per_second else 0.0


class Drain:
    """How one connection takes what waits for it. It measures only while more than `most_bytes` wait."""

    __slots__ = ("_bounds", "_taken_bytes", "_until", "written_bytes")

    def __init__(self, bounds: OutboxBounds) -> None:
        self._bounds = bounds
        self._until: float | None = None
        self._taken_bytes = 0
        self.written_bytes = 0
        """What was written since this measurement began, or since any time before; the caller adds to it."""

    def is_too_slow(self, waiting_bytes: int, now_seconds: float) -> bool:
        """Whether it is a slow consumer now. `waiting_bytes`: what of all that was written is not taken yet.

        As often as `most_bytes` were taken, it has the time for as much again.
        """
        bounds, taken_bytes = self._bounds, self.written_bytes - waiting_bytes
        if waiting_bytes <= bounds.most_bytes:
            self._until = None
            return False
        if self._until is None or taken_bytes - self._taken_bytes >= bounds.most_bytes:
            self._until, self._taken_bytes = now_seconds + bounds.seconds, taken_bytes
        is_late = now_seconds > self._until and bool(bounds.drain_bytes_per_second)
        return is_late or waiting_bytes > MOST_TIMES * bounds.most_bytes
