"""How often one thing may be said: once a second for each cause, and how often it was not said meanwhile. Pure."""

from typing import Final

PAUSE_SECONDS: Final = 1.0
MOST_CAUSES: Final = 1_024
"""Causes that are remembered; beyond them the one that spoke longest ago is forgotten, and may speak at once."""


class Restraint:
    """What was said when, and what was held back since."""

    def __init__(self) -> None:
        self._said: dict[object, tuple[float, int]] = {}  # cause -> when, held back since; the longest ago first
        self.held_back = 0

    def may_say(self, cause: object, now_seconds: float) -> int | None:
        """How often it was held back since it was said last; `None` where it is held back now, too."""
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
