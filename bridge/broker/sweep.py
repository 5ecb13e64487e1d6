"""Cleaning up after one dead process, a little at a time: what it held in Redis may be anybody's work, and very much.

Some groups are on their way at once, and of each some holders; the next ones when Redis has answered, and the claim is
renewed with them. What is done is struck off, so that whoever begins anew goes on from there. It claims nothing itself.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses, group_in
from bridge.broker.bus import Bus
from bridge.broker.link import pack
from bridge.broker.presence import Presence
from bridge.broker.presence_entries import Group
from bridge.broker.scripts import Script

SWEEP_SECONDS: Final = 10
"""How long a claim holds."""
GROUPS_AT_ONCE: Final = 200
HOLDERS_AT_ONCE: Final = 200
HELD_BY: Final = Script.in_file("bridge.broker", "sweep_groups")
SWEEP: Final = Script.in_file("bridge.broker", "sweep_holders")
_BEGIN: Final = b"0"
"""What Redis calls the beginning of a scan, and its end."""


class Sweep:
    """One attempt. `done` is called when nothing is left; never, where Redis did not do what it was asked."""

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
        """With the next groups; the answers come later, and go on by themselves."""
        keys = [self._addresses.processes, self._addresses.held_by(self._dead)]
        arguments: list[Any] = [self._dead, SWEEP_SECONDS, self._next, GROUPS_AT_ONCE]
        HELD_BY.run(self._bus, keys, arguments, self._begin_some)

    def _begin_some(self, reply: Any) -> None:
        if not isinstance(reply, list):
            return  # tried again when the claim is over
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
        def swept(reply: Any) -> None:
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


def _ignore(reply: Any) -> None:
    """What is not struck off costs one look in vain."""
