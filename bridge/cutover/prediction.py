"""The result of a prediction: who is refused, who misses what, and the totals of both. Pure.

`predictor.py` makes it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final, NamedTuple

from bridge.cutover.totals import Arrive, Who
from bridge.records.rows import Language, Seen, Visitor

MOST_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One client that would be refused. `name`: its V3 name; `successor`: the V3 path that it must move to."""

    seen: Seen
    code: str
    name: str | None
    bucket: float | None
    successor: str | None
    channel: str


class Recipient(NamedTuple):
    """A client that could receive messages, from when to when (ms since the epoch). `goes`: it would be refused."""

    visitor: Visitor
    user_agent: str
    first: int
    last: int
    goes: bool

    @property
    def language_after(self) -> Language | None:
        """What it speaks after the step if it arrives wherever it must go; `None` if there is nowhere to go."""
        return language_after(self.visitor.language, goes=self.goes)


Speaker = tuple[str, str | None, str]
"""Language, client id and group of the client that sends."""


@dataclass(slots=True)
class Pair:
    """How many messages a listener received from a speaker (`heard`), and how many of them it would lose (`lost`).

    `channel`: the Redis channel to which the listener would have to listen for the messages that it loses;
    `said_to`: who listens there, in words.
    """

    heard: int = 0
    lost: int = 0
    channel: str = ""
    said_to: str = ""


@dataclass(slots=True)
class Prediction:
    """Which clients a step refuses, and what each pair of speaker and listener loses.

    `refused` holds the first `MOST_LISTED` clients. The numbers count all, unless `is_whole` is false.
    """

    refused: list[Refusal] = field(default_factory=list)
    pairs: dict[tuple[Speaker, Visitor], Pair] = field(default_factory=dict)
    moved: set[Who] = field(default_factory=set)
    """The clients that are refused, each once in each of its groups."""
    missed: set[tuple[Speaker, Visitor]] = field(default_factory=set)
    """Speakers and the listeners that would miss something of them, even if all clients that move arrive."""
    listeners: dict[Visitor, Recipient] = field(default_factory=dict)
    """Every client that received something."""
    refused_clients: int = 0
    messages: int = 0
    affected: int = 0
    is_whole: bool = True

    @property
    def silenced(self) -> "Chosen":
        """The pairs whose listener would receive nothing any more."""
        return Chosen.of(self.pairs, lambda pair: pair.lost == pair.heard)

    @property
    def quieter(self) -> "Chosen":
        """The pairs whose listener would receive only some of the messages."""
        return Chosen.of(self.pairs, lambda pair: 0 < pair.lost < pair.heard)

    def unheard(self, arrive: Arrive) -> Counter[Who]:
        """Who would miss something, and of how many others, if `arrive` of those that move do.

        Those who do not arrive hear nothing at all, and are not among them.
        """
        if arrive == "all":
            missing = [listener for _, listener in self.missed]
        else:
            missing = [listener for (_, listener), pair in self.pairs.items() if pair.lost]
        found = (self.listeners[visitor] for visitor in missing)
        return Counter(Who.of(one.visitor, one.user_agent) for one in found if arrive == "all" or not one.goes)


@dataclass(frozen=True, slots=True)
class Chosen:
    """How many pairs were chosen, and the first `MOST_LISTED` of them: those that lose most."""

    number: int
    first: list[tuple[Speaker, Visitor, Pair]]

    @classmethod
    def of(cls, pairs: Mapping[tuple[Speaker, Visitor], Pair], holds: Callable[[Pair], bool]) -> "Chosen":
        """The pairs for which `holds` returns true."""
        chosen = [(speaker, listener, pair) for (speaker, listener), pair in pairs.items() if holds(pair)]
        return cls(len(chosen), nlargest(MOST_LISTED, chosen, key=lambda one: one[2].lost))


def language_after(language: Language, *, goes: bool) -> Language | None:
    """A V2 client that is refused can go to V3; a V3 client nowhere."""
    if not goes:
        return language
    return "v3" if language == "v2" else None
