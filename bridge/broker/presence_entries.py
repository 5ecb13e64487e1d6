"""What this process holds of presence: its entries by place, by group, and in the order in which they end. Pure.

It never asks Redis: what is written there of these entries is for `presence.py`.
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
"""Of so many digits each is a time that can be said."""


@dataclass(frozen=True, slots=True)
class Place:
    """One client of one protocol in one group: what its connections in this process share."""

    tenant: str
    group: str
    client: str
    protocol: Protocol


class Entry:
    """What is known of a place. Times are the loop's, in seconds; `since` is the wall clock's, in microseconds.

    `is_known`: Redis confirmed it, so that JOIN was said if it was due. `is_unsure`: Redis may have done what it was
    last asked without our hearing of it. `is_over`: nothing has refreshed it for a lifetime.
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
    """Client, protocol and since when (µs), of what stands in Redis; `None` for somebody else's, under our name."""
    match = _HOLDER.fullmatch(holder)
    return None if match is None else (match[1].decode(), match[2].decode(), int(match[3]))


class Entries:
    """All entries of this process; the one that ends first comes first."""

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
        """Where there are entries."""
        return list(self._groups)

    def add(self, entry: Entry) -> bool:
        """Whether it is the first of its group."""
        group = (entry.place.tenant, entry.place.group)
        self._entries[entry.place] = entry
        is_first = group not in self._groups
        self._groups.setdefault(group, {})[entry.place] = entry
        return is_first

    def discard(self, entry: Entry) -> bool:
        """Whether it was the last of its group."""
        group = (entry.place.tenant, entry.place.group)
        del self._entries[entry.place]
        del self._groups[group][entry.place]
        if self._groups[group]:
            return False
        del self._groups[group]
        return True

    def refresh(self, entry: Entry, now: float, lifetime_seconds: float) -> None:
        """It ends a lifetime from now, and so last."""
        entry.touched_at, entry.expires_at = now, now + lifetime_seconds
        self._entries.move_to_end(entry.place)

    def end_now(self, entry: Entry) -> None:
        """It is over with the next look."""
        entry.expires_at = 0.0
        self._entries.move_to_end(entry.place, last=False)

    def first_over(self, now: float) -> Entry | None:
        """An entry whose time is over, if there is one; it is looked at again after it was refreshed or ended."""
        entry = next(iter(self._entries.values()), None)
        return entry if entry is not None and entry.expires_at <= now else None

    def next_groups(self, number: int) -> dict[Group, list[Entry]]:
        """The present entries of so many groups; the next call goes on with the next ones, round and round."""
        chosen = {}
        for group in list(islice(self._groups, number)):
            entries = self._groups[group] = self._groups.pop(group)
            chosen[group] = [entry for entry in entries.values() if not entry.is_over]
        return chosen
