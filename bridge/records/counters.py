"""The counters of this process, as plain numbers: the data path adds to them, `/metrics` reads them."""

from collections import Counter
from collections.abc import Hashable
from typing import Literal, TypeVar

Direction = Literal["v2_to_v3", "v3_to_v2"]
Label = TypeVar("Label", bound=Hashable)


class Counts:
    """Numbers since the process started. Labels are bounded: each comes from a closed list."""

    def __init__(self) -> None:
        self.messages: Counter[tuple[str, str]] = Counter()
        """(tenant, protocol) -> messages of clients that were accepted for publishing."""
        self.conversions: Counter[tuple[str, Direction, str]] = Counter()
        """(tenant, direction, outcome) -> conversions."""
        self.refusals: Counter[tuple[str, str, str]] = Counter()
        """(tenant, protocol, code) -> refused messages and connections. The tenant is empty if it was not known yet."""
        self.turned_away: Counter[str] = Counter()
        """tenant -> handshakes refused because of its stage."""
        self.accepted: Counter[str] = Counter()
        """protocol -> connections accepted."""
        self.errors = 0
        """Tasks of the process that ended with an unexpected exception."""


class Refusals:
    """Counts the refusals of one protocol."""

    def __init__(self, counts: Counts, protocol: str) -> None:
        self._refusals = counts.refusals
        self._protocol = protocol

    def refused(self, tenant: str, code: str) -> None:
        """Count one refused message or connection."""
        self._refusals[tenant, self._protocol, code] += 1


def more_since(now: Counter[Label], before: Counter[Label]) -> list[tuple[Label, int]]:
    """By how much each label has grown from `before` to `now`. Then sets `before` to `now`."""
    more = [(label, number - before[label]) for label, number in now.items() if number != before[label]]
    before.update(dict(more))
    return more
