"""Totals of a prediction: how many clients a step concerns, in all, by user agent and by group. Pure.

It counts clients, each once, however many groups it was in and however many others it heard. What somebody misses
depends on what becomes of the clients that move: *all* arrive on V3, or *none* does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from bridge.records.rows import Visitor

Arrive = Literal["all", "none"]

MOST_ROWS: Final = 1_000


class Who(NamedTuple):
    """A client in one group. Without an id, clients are told apart by their user agents."""

    client_id: str | None
    language: str
    user_agent: str
    group_id: str

    @property
    def client(self) -> tuple[str | None, str, str]:
        """The same in every group."""
        return self.client_id, self.language, self.user_agent if self.client_id is None else ""

    @classmethod
    def of(cls, visitor: Visitor, user_agent: str) -> "Who":
        return cls(visitor.client_id, visitor.language, user_agent, visitor.group_id)


@dataclass(slots=True)
class Total:
    """Some clients of a step: those that must be on V3 after it, those of them that it moves, who misses something.

    `pairs`: how often a listener misses something of a speaker.
    """

    clients: set[tuple[str | None, str, str]] = field(default_factory=set)
    new: set[tuple[str | None, str, str]] = field(default_factory=set)
    listeners: set[tuple[str | None, str, str]] = field(default_factory=set)
    pairs: int = 0

    def as_json(self) -> dict[str, int]:
        """As a JSON object of the admin API."""
        sizes = {name: len(getattr(self, name)) for name in ("clients", "new", "listeners")}
        return {**sizes, "pairs": self.pairs}


class Totals:
    """The totals of one step under one assumption. `moved`: who must move with this step; `before`: since earlier ones.

    `unheard`: each listener that misses something, and of how many others.
    """

    def __init__(self, moved: Iterable[Who], before: Iterable[Who], unheard: Mapping[Who, int]) -> None:
        self._all = Total()
        self._by_user_agent: defaultdict[str, Total] = defaultdict(Total)
        self._by_group: defaultdict[str, Total] = defaultdict(Total)
        for who in moved:
            self._move(who, is_new=True)
        for who in before:
            self._move(who, is_new=False)
        for who, pairs in unheard.items():
            for total in self._of(who):
                total.listeners.add(who.client)
                total.pairs += pairs

    def as_json(self) -> dict[str, Any]:
        """As a JSON object of the admin API; of many user agents or groups, those with most clients."""
        return {
            **self._all.as_json(),
            "by_user_agent": _rows("user_agent", self._by_user_agent),
            "by_group": _rows("group_id", self._by_group),
        }

    def _move(self, who: Who, *, is_new: bool) -> None:
        for total in self._of(who):
            total.clients.add(who.client)
            if is_new:
                total.new.add(who.client)

    def _of(self, who: Who) -> tuple[Total, Total, Total]:
        return self._all, self._by_user_agent[who.user_agent], self._by_group[who.group_id]


def _rows(name: str, totals: Mapping[str, Total]) -> list[dict[str, Any]]:
    ordered = sorted(totals.items(), key=lambda item: (-len(item[1].clients), -len(item[1].listeners), item[0]))
    return [{name: value, **total.as_json()} for value, total in ordered[:MOST_ROWS]]
