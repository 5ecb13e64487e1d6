"""Removes the presence entries of one dead process from Redis, in small steps, since there may be very many.

About `GROUPS_AT_ONCE` groups are under way at a time, and `HOLDERS_AT_ONCE` holders of each. The next groups begin when
Redis has answered for all of these; that also renews the claim. Finished groups are removed from the list, so that
another attempt goes on from there. It does not make the claim itself.
"""

from collections.abc import Callable, Sequence
from typing import Final

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses, group_in
from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.presence import Presence
from bridge.broker.presence_entries import Group
from bridge.broker.scripts import Script

SWEEP_SECONDS: Final = 10
"""How long a claim lasts: the right of one process to clean up after a dead one."""
GROUPS_AT_ONCE: Final = 200
HOLDERS_AT_ONCE: Final = 200
HELD_BY: Final = Script.in_file("bridge.broker", "sweep_groups")
SWEEP: Final = Script.in_file("bridge.broker", "sweep_holders")
_BEGIN: Final = b"0"
"""The cursor that begins a scan in Redis, and marks its end."""


class Sweep:
    """One attempt. `done` is called when nothing is left, and never if a command failed."""

    def __init__(self, bus: Bus, addresses: Addresses, presence: Presence, dead: str, done: Callable[[], None]) -> None:
        self._bus = bus
        self._addresses = addresses
        self._presence = presence
        self._dead = dead
        self._done = done
        self._next: bytes = _BEGIN
        self._some: Sequence[bytes] = ()
        self._remaining = 0
        self._has_failed = False

    def go_on(self) -> None:
        """Begin the next groups. The replies come later, and continue by themselves."""
        keys = [self._addresses.processes, self._addresses.held_by(self._dead)]
        HELD_BY.run(self._bus, keys, [self._dead, SWEEP_SECONDS, self._next, GROUPS_AT_ONCE], self._begin_some)

    def _begin_some(self, reply: object) -> None:
        if not isinstance(reply, list):
            return  # another process tries again when the claim has expired
        self._next, self._some = reply
        self._remaining = 1
        for member in self._some:
            group = group_in(member)
            if group is None:
                unreadable.skip("group")
            else:
                self._remaining += 1
                self._sweep(group, _BEGIN)
        self._group_done()

    def _sweep(self, group: Group, cursor: bytes) -> None:
        def swept(reply: object) -> None:
            if not isinstance(reply, list):
                self._has_failed = True
                self._group_done()
                return
            following, gone, members = reply
            for holder in gone:
                self._presence.say_left(*group, holder, members)
            if following == _BEGIN:
                self._group_done()
            else:
                self._sweep(group, following)

        keys = [self._addresses.presence(*group), self._addresses.holders(*group)]
        SWEEP.run(self._bus, keys, [self._dead, cursor, HOLDERS_AT_ONCE], swept)

    def _group_done(self) -> None:
        self._remaining -= 1
        if self._remaining or self._has_failed:
            return
        if self._some:
            self._bus.command(pack("SREM", self._addresses.held_by(self._dead), *self._some), _ignore)
        if self._next == _BEGIN:
            self._done()
        else:
            self.go_on()


def _ignore(reply: object) -> None:
    """Nothing to do: a group that is not removed from the list only costs one useless look."""
