"""Announces JOIN and LEAVE to a group: delayed, several at a time, and not at all in large groups.

While Redis is unreachable the events wait. Processes announce what happened to their own clients, each after a delay of
its own: so Redis says no LEAVE of a client that has come back elsewhere by then, and no JOIN of one that has left
elsewhere. The last word on a client is true.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.history import History, Keep
from bridge.broker.scripts import Script
from v3.messages import timestamp, write

Event = Literal["JOIN", "LEAVE"]

DELAY_SECONDS: Final = 0.2
"""How long an event waits for others of its group."""
MAX_EVENTS_PER_GROUP: Final = 1_000
EVENTS_PER_COMMAND: Final = 100
SAY: Final = Script.in_file("bridge.broker", "presence_events_say")


class PresenceEvents:
    """The events that wait. Bounded for each group: beyond `MAX_EVENTS_PER_GROUP` they are counted and dropped.

    `most_members`: in larger groups nothing is announced.
    """

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        microseconds: Callable[[], int],
        most_members: int,
        history: History | None,
    ) -> None:
        self._bus = bus
        self._addresses = addresses
        self._microseconds = microseconds
        self.most_members = most_members
        self._history = history
        self._waiting: dict[tuple[str, str], list[tuple[Event, str, bytes | str, bytes]]] = {}
        self.suppressed = 0
        """How many events were dropped: the group was too large, or too many waited."""

    def say(
        self, event: Event, tenant: str, group: str, who: dict[str, Any], members: int, holder: bytes | str = b""
    ) -> None:
        """Announce an event later. `who` is `{client_id, protocol, since}`; `members`: how many the group has now.

        `holder`: the entry with which the client joins or leaves. While another one holds it present, no LEAVE is said;
        when none does, no JOIN.
        """
        if self._is_suppressed(event, (tenant, group), members):
            return
        if (tenant, group) not in self._waiting:
            self._waiting[tenant, group] = []
            self._later(tenant, group)
        sent_at = timestamp(self._microseconds())
        content: Any = {"msg_type": "presence", "target": "group", "cmd": event, "payload": who}
        client = who["client_id"]
        self._waiting[tenant, group].append((event, client, holder, write(content, client, group, sent_at)))

    def _is_suppressed(self, event: Event, group: tuple[str, str], members: int) -> bool:
        """Whether the group is too large, or too many of its events wait. Counts what is not said."""
        waiting = self._waiting.get(group, [])
        size = members + 1 if event == "LEAVE" else members  # the client that left was one of them
        if size > self.most_members:
            # These events were meant for a smaller group, but this large one would get them.
            self.suppressed += 1 + len(waiting)
            waiting.clear()
            return True
        is_full = len(waiting) >= MAX_EVENTS_PER_GROUP
        self.suppressed += is_full
        return is_full

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
        events = self._waiting.pop((tenant, group), [])
        channel = self._addresses.group(tenant, group)
        keys = [self._addresses.presence(tenant, group), self._addresses.holders(tenant, group)]
        keys += [self._addresses.last_number, self._addresses.history_begin]
        for start in range(0, len(events), EVENTS_PER_COMMAND):
            some = events[start : start + EVENTS_PER_COMMAND]
            key, *how = self._keep(channel, [line for *_, line in some])
            parts = (part for event in some for part in event)
            SAY.run(self._bus, [*keys, key.decode()], [channel, *how, *parts], _ignore)

    def _keep(self, channel: bytes, lines: Sequence[bytes]) -> Keep:
        if self._history is None:
            return Keep(self._addresses.kept_under(channel), 0, 0, 0)
        return self._history.keep(channel, lines)


def _ignore(unsaid: object) -> None:
    """Nothing to do: an event that nobody received is not repeated, since presence can be asked for at any time."""
