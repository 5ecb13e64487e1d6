"""Which of the clients that a step has moved to V3 are lost. Pure.

Decided here. A step has moved a client if the client was known on V2 before the step, and was sent to V3 since: so
somebody who knocks under made-up ids counts for nothing. Each client counts once, however often it knocks. It is lost
if all of this is true:

- it was moved at least the grace ago;
- it has not arrived on V3;
- it has knocked on V2 at least `LEAST_KNOCKS` times since it was moved, and for the last time at most
  `STILL_MILLISECONDS` ago. A client that has stopped knocking has gone quiet: perhaps it is switched off.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from bridge.records.whereabouts import Client, Refused

LEAST_KNOCKS: Final = 3
STILL_MILLISECONDS: Final = 90_000
APART_MILLISECONDS: Final = 2_000
"""So far apart the clocks of those who make a step and of those who move its clients may be."""


class Losses(NamedTuple):
    """How many clients a step has moved, and how many of these are lost."""

    moved: int
    lost: int


class Moved(NamedTuple):
    """A step, and when it is judged: times in milliseconds since the epoch. `grace`: in milliseconds, too."""

    at: int
    now: int
    grace: int

    @property
    def since(self) -> int:
        """The earliest time at which the step can have moved somebody."""
        return self.at - APART_MILLISECONDS

    def has_moved(self, refused: Refused) -> bool:
        """Whether these refusals say that the step has moved their client."""
        return refused.moved_at >= self.since

    def is_knocking(self, refused: Refused) -> bool:
        """Whether their client was moved by the step, and knocks again and again."""
        is_due = self.since <= refused.moved_at <= self.now - self.grace
        return is_due and refused.knocks >= LEAST_KNOCKS and self.now - refused.last <= STILL_MILLISECONDS

    def losses(self, clients: Iterable[Client]) -> Losses:
        """The losses among these clients."""
        moved = [one for one in clients if self._was_moved(one)]
        lost = [one for one in moved if one.place == "not_arrived" and one.refused and self.is_knocking(one.refused)]
        return Losses(len(moved), len(lost))

    def _was_moved(self, client: Client) -> bool:
        is_known = client.visitor is not None and client.first < self.at
        return is_known and client.moved_at >= self.since
