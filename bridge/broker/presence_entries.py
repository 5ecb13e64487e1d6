"""The presence entries of this process, by place, by group, and in the order in which they expire. Pure.

It never talks to Redis: `presence.py` writes the entries there.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

Protocol = Literal["v2", "v3", "socketio"]
Group = tuple[str, str]
"""A tenant and one of its groups."""


_HOLDER: Final = re.compile(rb"([A-Za-z0-9_-]+):[^:]+:(v2|v3|socketio):([0-9]{1,17})")
"""At most 17 digits, so that each number is a valid time in microseconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """One client on one protocol in one group. All its connections in this process share one entry."""

    tenant: str
    group: str
    client: str
    protocol: Protocol


class Entry:
    """The state of one place. Times are the event loop's, in seconds; `since` is wall-clock time in microseconds.

    `is_known`: Redis confirmed the entry, and JOIN was announced if needed. `is_unsure`: Redis may have executed the
    last command, but its reply did not arrive. `is_over`: no sign of life for one lifetime.
    """

    __slots__ = ("connections", "expires_at", "is_known", "is_over", "is_unsure", "place", "since", "touched_at")

    def __init__(self, place: Place, since: int) -> None:
        self.place: Final = place
        self.since: Final = since
        self.connections = 0
        self.expires_at = 0.0
        self.touched_at = 0.0
        self.is_known = self.is_unsure = self.is_over = False


def holder_in(holder: bytes) -> tuple[str, str, int] | None:
    """`(client, protocol, since)` from a holder in Redis, `since` in microseconds; `None` if it is not one of ours."""
    match = _HOLDER.fullmatch(holder)
    return None if match is None else (match[1].decode(), match[2].decode(), int(match[3]))


class Entries:
    """All entries of this process, the first to expire first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Place, Entry] = OrderedDict()
        self._groups: dict[Group, dict[Place, Entry]] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: Entry) -> bool:
        return self._entries.get(entry.place) is entry

    def get(self, place: Place) -> Entry | None:
        return self._entries.get(place)

    @property
    def groups(self) -> list[Group]:
        """The groups in which there are entries."""
        return list(self._groups)

    @property
    def group_count(self) -> int:
        """How many groups have entries."""
        return len(self._groups)

    def add(self, entry: Entry) -> bool:
        """Add an entry; return whether it is the first of its group."""
        group = (entry.place.tenant, entry.place.group)
        self._entries[entry.place] = entry
        is_first = group not in self._groups
        self._groups.setdefault(group, {})[entry.place] = entry
        return is_first

    def discard(self, entry: Entry) -> bool:
        """Remove an entry; return whether it was the last of its group."""
        group = (entry.place.tenant, entry.place.group)
        del self._entries[entry.place]
        del self._groups[group][entry.place]
        if self._groups[group]:
            return False
        del self._groups[group]
        return True

    def refresh(self, entry: Entry, now: float, lifetime_seconds: float) -> None:
        """Let the entry expire one lifetime from now, so last of all."""
        entry.touched_at, entry.expires_at = now, now + lifetime_seconds
        self._entries.move_to_end(entry.place)

    def end_now(self, entry: Entry) -> None:
        """Let the entry expire at the next check."""
        entry.expires_at = 0.0
        self._entries.move_to_end(entry.place, last=False)

    def first_over(self, now: float) -> Entry | None:
        """An expired entry, or `None`. The same one is returned until it was refreshed or removed."""
        entry = next(iter(self._entries.values()), None)
        return entry if entry is not None and entry.expires_at <= now else None

    def next_groups(self, number: int) -> dict[Group, list[Entry]]:
        """The entries that are not over, of so many groups; each call goes on with the next groups, in rotation."""
        chosen = {}
        for group in list(islice(self._groups, number)):
            entries = self._groups[group] = self._groups.pop(group)
            chosen[group] = [entry for entry in entries.values() if not entry.is_over]
        return chosen
