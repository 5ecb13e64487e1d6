"""The groups in which this process holds presence entries, recorded in Redis for whoever must clean up if it dies."""

from collections.abc import Sequence
from typing import Final

from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.presence_entries import Group

GROUPS_PER_COMMAND: Final = 500


class GroupsHeld:
    """One set in Redis, under the key `held_by`. A key of another type is removed; the next check records anew."""

    def __init__(self, bus: Bus, held_by: str) -> None:
        self._bus = bus
        self._held_by = held_by

    def record(self, groups: Sequence[Group]) -> None:
        """Add these groups."""
        for start in range(0, len(groups), GROUPS_PER_COMMAND):
            names = (":".join(group) for group in groups[start : start + GROUPS_PER_COMMAND])
            self._bus.command(pack("SADD", self._held_by, *names), self._recorded)

    def forget(self, group: Group) -> None:
        """Remove a group."""
        self._bus.command(pack("SREM", self._held_by, ":".join(group)), _ignore)

    def _recorded(self, reply: object) -> None:
        if isinstance(reply, Exception):
            self._bus.command(pack("UNLINK", self._held_by), _ignore)


def _ignore(reply: object) -> None:
    """Nothing to do: a recorded group without entries only costs one useless look."""
