"""Limits log lines: one a second for each cause; counts those that are held back. Pure: callers pass in the time."""

from typing import Final

PAUSE_SECONDS: Final = 1.0
"""Shortest time between two lines with the same cause."""
MOST_CAUSES: Final = 1_024
"""Causes that are remembered. Beyond that, the one written longest ago is forgotten, and may be written at once."""


class Restraint:
    """When each cause was last written, and how many lines were held back since."""

    def __init__(self) -> None:
        self._said: dict[object, tuple[float, int]] = {}  # cause -> (when, held back since), the oldest first
        self.held_back = 0

    def may_say(self, cause: object, now_seconds: float) -> int | None:
        """How many lines of this cause were held back since the last one; `None`: hold this one back, too."""
        said_at, held_back = self._said.get(cause, (now_seconds - PAUSE_SECONDS, 0))
        if now_seconds - said_at < PAUSE_SECONDS:
            self._said[cause] = said_at, held_back + 1
            self.held_back += 1
            return None
        self._said.pop(cause, None)
        self._said[cause] = now_seconds, 0
        if len(self._said) > MOST_CAUSES:
            del self._said[next(iter(self._said))]
        return held_back
