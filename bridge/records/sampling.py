"""Samples events for the log: of each kind the first is told, and then one a minute, with how many were not told.

Pure: callers pass in the time. Bounded: `MOST_KINDS` kinds; beyond, the one that was told longest ago is forgotten.
"""

from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

Event = TypeVar("Event")

PAUSE_SECONDS: Final = 60.0
MOST_KINDS: Final = 1_024


class Sampler(Generic[Event]):
    """When each kind was told last, how many events were not told since, and the last of these."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[float, int, Event]] = {}  # the one that was told longest ago comes first

    def tell(self, kind: Hashable, event: Event, now_seconds: float) -> bool:
        """Whether to tell this event at once; else it is counted, and `overdue` may give it later."""
        known = self._kinds.get(kind)
        if known is not None:
            self._kinds[kind] = known[0], known[1] + 1, event
            return False
        self._kinds[kind] = now_seconds, 0, event
        if len(self._kinds) > MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return True

    def overdue(self, now_seconds: float) -> Iterator[tuple[Event, int]]:
        """Of each kind whose minute is over the last event that was not told, and how many others were not."""
        due = [kind for kind, (told_at, _, _) in self._kinds.items() if now_seconds - told_at >= PAUSE_SECONDS]
        for kind in due:
            _, untold, event = self._kinds.pop(kind)
            if untold:
                self._kinds[kind] = now_seconds, 0, event
                yield event, untold - 1
