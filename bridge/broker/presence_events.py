"""Announces JOIN and LEAVE to a group: delayed, several at a time, and not at all in large groups.

While Redis is unreachable the events wait. This module never asks who is present: its callers tell it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from v3.messages import timestamp, write

Event = Literal["JOIN", "LEAVE"]

DELAY_SECONDS: Final = 0.2
"""How long an event waits for others of its group."""
MAX_EVENTS_PER_GROUP: Final = 1_000


class PresenceEvents:
    """The events that wait. Bounded for each group: beyond `MAX_EVENTS_PER_GROUP` they are counted and dropped.

    `most_members`: in larger groups nothing is announced.
    """

    def __init__(self, bus: Bus, addresses: Addresses, microseconds: Callable[[], int], most_members: int) -> None:
        self._bus = bus
        self._addresses = addresses
        self._microseconds = microseconds
        self.most_members = most_members
        self._waiting: dict[tuple[str, str], list[bytes]] = {}
        self.suppressed = 0
        """How many events were dropped: the group was too large, or too many waited."""

    def say(self, event: Event, tenant: str, group: str, who: dict[str, Any], members: int) -> None:
        """Announce an event later. `who` is `{client_id, protocol, since}`; `members`: how many the group has now."""
        waiting = self._waiting.get((tenant, group))
        size = members + 1 if event == "LEAVE" else members  # the client that left was one of them
        if size > self.most_members:
            # These events were meant for a smaller group, but this large one would get them.
            self.suppressed += 1 + len(waiting or ())
            if waiting:
                waiting.clear()
            return
        if waiting is not None and len(waiting) >= MAX_EVENTS_PER_GROUP:
            self.suppressed += 1
            return
        if waiting is None:
            waiting = self._waiting[tenant, group] = []
            self._later(tenant, group)
        sent_at = timestamp(self._microseconds())
        content: Any = {"msg_type": "presence", "target": "group", "cmd": event, "payload": who}
        waiting.append(write(content, who["client_id"], group, sent_at))

    def flush(self) -> None:
        """Publish all waiting events at once: the process is about to end."""
        for tenant, group in list(self._waiting):
            self._flush(tenant, group)

    def _say_all(self, tenant: str, group: str) -> None:
        if self._bus.is_up:
            self._flush(tenant, group)
        else:
            self._later(tenant, group)

    def _later(self, tenant: str, group: str) -> None:
        asyncio.get_running_loop().call_later(DELAY_SECONDS, self._say_all, tenant, group)

    def _flush(self, tenant: str, group: str) -> None:
        for line in self._waiting.pop((tenant, group), ()):
            self._bus.publish([self._addresses.group(tenant, group)], line, _ignore)


def _ignore(heard_by: int | None) -> None:
    """Nothing to do: an event that nobody received is not repeated, since presence can be asked for at any time."""
