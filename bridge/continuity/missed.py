"""Decides what a client has missed, and whether that can be proven. Pure: it knows no Redis, no clock and no socket.

Missed is whatever was said on the client's channels after its positions. That this is everything is proven for a
channel if nothing was removed from its history since the position, and nothing was said there that was not kept. A
history that is not there is one where nothing was said for as long as histories are kept.

What was said on the wide channel and on another of the client's is heard on that one, and missed only there. So that
one must be known from the position on the wide channel on, too, where that is the earlier.

Where a client names only the last message that it heard, that message must be found exactly once in its channels. Its
number is the position on all of them, because messages are handed on in the order of their numbers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.broker.message import BusMessage
from bridge.continuity.positions import KINDS, WIDE, Positions, number_in, positions_in

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """The history of one channel, as it was read, and what was said there since.

    Numbers are microseconds by the clock of Redis. `read_at`: when it was read. `whole_since`: the number after which
    nothing was removed, 0 if nothing ever was. `unkept`: the last message that was said and not kept. `begin`: since
    when no history has a break. `messages`: number and message, in order; those before a number may have been left out
    by who has read it.
    """

    read_at: int
    whole_since: int = 0
    unkept: int = 0
    begin: int = 0
    messages: Sequence[tuple[int, BusMessage]] = field(default=())

    def is_whole_since(self, position: int, seconds: int) -> bool:
        """Whether everything that was said after this position, on this channel, is here for certain."""
        if not self.begin or not self.begin <= position <= self.read_at or self.unkept > position:
            return False
        return position >= max(self.whole_since, self.read_at - seconds * MICROSECONDS)

    def after(self, position: int) -> list[tuple[int, BusMessage]]:
        """What was said after this position."""
        return [one for one in self.messages if one[0] > position]


@dataclass(frozen=True, slots=True)
class Missed:
    """What a client has missed, in order; `None` instead of this object where that cannot be proven."""

    messages: Sequence[BusMessage]


def missed_since(since: str, channels: Mapping[str, Kept], seconds: int) -> Missed | None:
    """What was missed since a cursor or the `sent_at` of the last message heard; `None` if that cannot be proven.

    `channels`: the history of each channel of the client, by its kind, or by any name where one number is the position
    on all. `seconds`: how long they are kept.
    """
    positions = positions_in(since) if since.startswith("@") else _positions_of(since, channels.values())
    if number := number_in(since):
        positions = dict.fromkeys(channels, number)
    if positions is None or not positions.keys() >= channels.keys():
        return None
    wide = (positions[WIDE],) if WIDE in channels else ()
    missed: dict[int, BusMessage] = {}
    narrow: set[int] = set()
    for kind, kept in channels.items():
        if not kept.is_whole_since(min((positions[kind], *wide)), seconds):
            return None
        missed.update(one for one in kept.after(positions[kind]) if kind != WIDE or one[0] not in narrow)
        narrow.update(number for number, _ in kept.messages)
    return Missed([missed[number] for number in sorted(missed)])


def _positions_of(sent_at: str, channels: Iterable[Kept]) -> Positions | None:
    """The position on all channels if the message that was sent at this time is found once, else `None`."""
    found = {number for kept in channels for number, message in kept.messages if message.heard.sent_at == sent_at}
    return dict.fromkeys(KINDS, found.pop()) if len(found) == 1 else None
