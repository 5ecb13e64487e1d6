"""What this process has counted, as plain numbers: the data path adds to them, `/metrics` reads them."""

from collections import Counter
from collections.abc import Hashable
from typing import Literal, TypeVar

Direction = Literal["v2_to_v3", "v3_to_v2"]
Label = TypeVar("Label", bound=Hashable)


class Counts:
    """Numbers since the process started. Labels are bounded: each comes from a closed list."""

    def __init__(self) -> None:
        self.messages: Counter[tuple[str, str]] = Counter()
        """(tenant, protocol) -> messages said."""
        self.conversions: Counter[tuple[str, Direction, str]] = Counter()
        """(tenant, direction, outcome) -> conversions."""
        self.refusals: Counter[tuple[str, str, str]] = Counter()
        """(tenant, protocol, code) -> refusals, of messages and of connections; no tenant where it was not settled."""
        self.turned_away: Counter[str] = Counter()
        """tenant -> handshakes refused because of its stage."""
        self.accepted: Counter[str] = Counter()
        """protocol -> connections accepted."""
        self.errors = 0
        """Messages that failed in a way that nobody foresaw."""


class Refusals:
    """The tally of one protocol's refusals."""

    def __init__(self, counts: Counts, protocol: str) -> None:
        self._refusals = counts.refusals
        self._protocol = protocol

    def refused(self, tenant: str, code: str) -> None:
        """One message or connection was refused."""
        self._refusals[tenant, self._protocol, code] += 1


def more_since(now: Counter[Label], before: Counter[Label]) -> list[tuple[Label, int]]:
    """What was counted since; from now on it counts as before."""
    more = [(label, number - before[label]) for label, number in now.items() if number != before[label]]
    before.update(dict(more))
    return more
