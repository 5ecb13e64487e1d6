"""Presence: the entries that this process holds in Redis for its clients, and its requests about other clients.

A client is present in a group while at least one of its connections is. Every call has handed its command to the bus
when it returns. A command that Redis did not confirm is sent again. Entries that Redis has lost (restarted empty,
flushed, deleted) are written again from memory, without a JOIN. `leases.py` cleans up after processes that died. This
module never decides who may be present.

In Redis a group is two sorted sets: `presence` (client -> the second at which its entry expires) and `holders` (who
holds an entry: `client:process:protocol:since`, all scores 0, so that one client's holders are a range). A client is
present while it has an entry, and its entry ends with its last holder or with its time.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.presence_entries import Entries, Entry, Group, Place, Protocol, holder_in
from bridge.broker.presence_events import Event, PresenceEvents
from bridge.broker.presence_groups import GroupsHeld
from bridge.broker.presence_members import HOLDERS_AT_ONCE, Answer, MembersOfGroups, who
from bridge.broker.scripts import Script

__all__ = ["Place", "Presence", "Protocol"]

CHECK_SECONDS: Final = 0.5
"""Pause between two checks of the own entries."""
CHECKS_PER_ROUND: Final = 24
"""Each group is compared with Redis once in so many checks."""
EXPIRY_MARGIN_SECONDS: Final = 1.0
"""So much later than Redis this process takes an entry for expired, since Redis counts whole seconds."""
CHUNK: Final = 500
"""Entries that are handled in one turn of the event loop."""
TOUCHES_PER_LIFETIME: Final = 60
"""`touch` writes at most so many refreshes in one lifetime."""

ENTER: Final = Script.in_file("bridge.broker", "presence_enter")
LEAVE: Final = Script.in_file("bridge.broker", "presence_leave")
EXPIRE: Final = Script.in_file("bridge.broker", "presence_expire")
MEMBERS: Final = Script.in_file("bridge.broker", "presence_members")
HELD: Final = Script.in_file("bridge.broker", "presence_held")


class Presence:
    """The presence of this process's clients.

    `microseconds` is the wall clock; `lifetime_seconds`: how long an entry lives without a sign of life.
    """

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        process: str,
        events: PresenceEvents,
        microseconds: Callable[[], int],
        lifetime_seconds: float,
    ) -> None:
        self._bus = bus
        self._addresses = addresses
        self._process = process
        self._events = events
        self._microseconds = microseconds
        self._lifetime_seconds = max(1, round(lifetime_seconds))
        self._now = asyncio.get_running_loop().time
        self._entries = Entries()
        self._groups = GroupsHeld(bus, addresses.held_by(process))
        self._empty = asyncio.Event()
        self._empty.set()
        self._members = MembersOfGroups(self._ask_members, self._now)
        self._unsettled: dict[Entry, None] = {}  # bounded by the number of connections when Redis went away
        self.failures = 0
        """How many commands Redis did not confirm."""

    async def run(self) -> None:
        """Announce LEAVE for expired entries, and check that Redis holds the others. Ends only by cancellation."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self._expire()
            if self._bus.is_up:
                self._verify()

    async def wait_until_empty(self) -> None:
        """Wait until the last client of this process has left."""
        await self._empty.wait()

    def enter(self, place: Place, done: Callable[[], None], listens: "asyncio.Future[None] | None" = None) -> None:
        """Add one connection of a client. `done` is called once Redis has replied, also if that is an error.

        A JOIN that is due is said when `listens` is done, however it ends: whoever hears of a client may speak to it.
        """
        entry = self._entries.get(place)
        if entry is None:
            self._empty.clear()
            entry = Entry(place, self._microseconds())
            if self._entries.add(entry):
                self._groups.record([(place.tenant, place.group)])
        entry.connections += 1
        self._refresh(entry, done, listens)

    def leave(self, place: Place) -> None:
        """Remove one connection of a client."""
        entry = self._entries.get(place)
        if entry is None:
            return
        entry.connections -= 1
        if entry.connections == 0:
            is_last = self._entries.discard(entry)
            self._withdraw(entry)
            if not self._entries:
                self._empty.set()
            if is_last:
                self._groups.forget((place.tenant, place.group))

    def refresh(self, place: Place) -> None:
        """A heartbeat: the client is present for another lifetime."""
        entry = self._entries.get(place)
        if entry is not None:
            self._refresh(entry, _nothing)
            self._bus.flush()  # the refresh must be sent before the caller's answer

    def touch(self, place: Place) -> None:
        """A frequent sign of life: refreshes the entry only if the last refresh is long enough ago."""
        entry = self._entries.get(place)
        if entry is not None and self._now() - entry.touched_at > self._lifetime_seconds / TOUCHES_PER_LIFETIME:
            self._refresh(entry, _nothing)

    def members(self, tenant: str, group: str, answer: Answer) -> None:
        """Call `answer` with the members of a group, a JSON list of `{"client_id", "protocol", "since"}`.

        `None` means that Redis could not be asked. Clients that have entered in this process are in the list. Changes
        of the last 250 ms in other processes may be missing from it.
        """
        self._members.ask((tenant, group), answer)

    def rebuild(self) -> None:
        """Redis has lost this process's entries: write them again, without JOIN, since no LEAVE was announced."""
        self._groups.record(self._entries.groups)
        self._again(list(self._entries))

    def return_from_the_dead(self) -> None:
        """Another process announced LEAVE for all of our clients: announce JOIN for those that are connected."""
        self._unsettled.clear()
        for entry in self._entries:
            entry.is_known, entry.is_unsure = False, True
        self.rebuild()

    def settle(self) -> None:
        """Send again every command that Redis did not confirm."""
        unsettled, self._unsettled = self._unsettled, {}
        self._again(list(unsettled))

    def say_left(self, tenant: str, group: str, holder: bytes, members: int) -> None:
        """Announce LEAVE for a client of a dead process. `holder`: its entry in Redis; `members`: how many remain."""
        known = holder_in(holder)
        if known is None:
            unreadable.skip("holder")
            return
        self._members.forget((tenant, group))
        self._events.say("LEAVE", tenant, group, who(*known), members, holder)

    def _ask_members(self, group: Group, after: bytes, answered: Callable[[Any], None]) -> None:
        MEMBERS.run(self._bus, self._keys(*group), [after, HOLDERS_AT_ONCE], answered)

    def _again(self, entries: Sequence[Entry]) -> None:
        """Write these entries again, `CHUNK` in one turn of the event loop, so that other work goes on meanwhile."""
        for entry in entries[:CHUNK]:
            if entry.connections == 0:
                self._withdraw(entry)
            elif entry.expires_at > self._now() and not entry.is_over:
                self._write(entry, _nothing)
        if len(entries) > CHUNK:
            asyncio.get_running_loop().call_soon(self._again, entries[CHUNK:])

    def _refresh(self, entry: Entry, done: Callable[[], None], listens: "asyncio.Future[None] | None" = None) -> None:
        self._entries.refresh(entry, self._now(), self._lifetime_seconds)
        if entry.is_over:
            entry.is_over = entry.is_known = False
        self._write(entry, done, listens)

    def _write(self, entry: Entry, done: Callable[[], None], listens: "asyncio.Future[None] | None" = None) -> None:
        def answered(reply: Any) -> None:
            self._written(entry, reply, listens)
            done()

        seconds = max(1, ceil(entry.expires_at - self._now()))
        arguments: list[str | int] = [entry.place.client, self._holder(entry), seconds]
        ENTER.run(self._bus, self._keys(entry.place.tenant, entry.place.group), arguments, answered)

    def _written(self, entry: Entry, reply: Any, listens: "asyncio.Future[None] | None") -> None:
        if not self._is_done(entry, reply):
            return
        was_absent, is_alone, members = reply
        if was_absent or not entry.is_known:
            self._members.forget((entry.place.tenant, entry.place.group))
        is_due = not entry.is_known and (was_absent or (is_alone and entry.is_unsure))
        entry.is_known, entry.is_unsure = True, False
        if is_due and (listens is None or listens.done()):
            self._say("JOIN", entry, members)
        elif is_due and listens is not None:
            listens.add_done_callback(lambda _: self._say("JOIN", entry, members))
        if entry.connections == 0:
            self._withdraw(entry)  # Redis did not know the script, and the second attempt came after the LEAVE

    def _withdraw(self, entry: Entry) -> None:
        keys = self._keys(entry.place.tenant, entry.place.group)
        arguments: list[str | int] = [entry.place.client, self._holder(entry)]
        LEAVE.run(self._bus, keys, arguments, lambda reply: self._withdrawn(entry, reply))

    def _withdrawn(self, entry: Entry, reply: Any) -> None:
        if not self._is_done(entry, reply):
            return
        is_gone, is_absent, members = reply
        self._members.forget((entry.place.tenant, entry.place.group))
        is_due = is_gone or (is_absent and entry.is_unsure and entry.is_known and not entry.is_over)
        entry.is_unsure = False
        if is_due:
            self._say("LEAVE", entry, members)

    def _is_done(self, entry: Entry, reply: object) -> bool:
        """Whether Redis executed the command; if not, the entry is kept for `settle`."""
        if isinstance(reply, list):
            self._unsettled.pop(entry, None)
            return True
        self.failures += 1
        entry.is_unsure = entry.is_unsure or reply is None
        self._unsettled[entry] = None
        return False

    def _say(self, event: Event, entry: Entry, members: int) -> None:
        place = entry.place
        member = who(place.client, place.protocol, entry.since)
        self._events.say(event, place.tenant, place.group, member, members, self._holder(entry))

    def _expire(self) -> None:
        now = self._now() - EXPIRY_MARGIN_SECONDS  # Redis counts whole seconds, and the time must be over there too
        while (entry := self._entries.first_over(now)) is not None:
            self._entries.refresh(entry, self._now(), self._lifetime_seconds)
            entry.is_over = True
            self._end(entry)

    def _end(self, entry: Entry) -> None:
        def ended(reply: object) -> None:
            if isinstance(reply, list):
                if reply[0]:
                    self._members.forget((entry.place.tenant, entry.place.group))
                    self._say("LEAVE", entry, reply[1])
            elif entry in self._entries and entry.is_over:
                self.failures += 1
                self._entries.end_now(entry)

        keys = [self._addresses.presence(entry.place.tenant, entry.place.group)]
        EXPIRE.run(self._bus, keys, [entry.place.client], ended)

    def _verify(self) -> None:
        """Compare the entries of some groups with Redis; of all groups in `CHECKS_PER_ROUND` checks."""
        groups = self._entries.next_groups(self._entries.group_count // CHECKS_PER_ROUND + 1)
        self._groups.record(list(groups))
        for (tenant, group), entries in groups.items():
            self._verify_group(self._keys(tenant, group), entries)

    def _verify_group(self, keys: list[str], entries: Sequence[Entry]) -> None:
        """Ask for our own entries by name, `CHUNK` in one turn: other processes may hold very many in the group."""
        some, others = entries[:CHUNK], entries[CHUNK:]

        def counted(reply: object) -> None:
            if isinstance(reply, int) and reply < len(some):
                self._again(some)

        names: list[str | int] = [name for entry in some for name in (entry.place.client, self._holder(entry))]
        HELD.run(self._bus, keys, names, counted)
        if others:
            asyncio.get_running_loop().call_soon(self._verify_group, keys, others)

    def _holder(self, entry: Entry) -> str:
        return f"{entry.place.client}:{self._process}:{entry.place.protocol}:{entry.since}"

    def _keys(self, tenant: str, group: str) -> list[str]:
        return [self._addresses.presence(tenant, group), self._addresses.holders(tenant, group)]


def _nothing() -> None:
    """Nothing is waiting for the reply."""
