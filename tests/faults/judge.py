"""What was said and what each member heard of it, and the laws that hold between the two. Pure: it knows no socket.

1. Nothing is lost unannounced: who should hear a message hears it, or is told of a gap at its time; or else its speaker
   is told.
2. Nothing is heard twice.
3. What one speaker says on one channel is heard in its order.
4. Who is told that its return is complete has missed nothing.
5. Nobody hears what is not said to it.

A speaker is told by a refusal, or by the end of its connection before it could know more. Times are by the wall clock,
in seconds: everything here runs on one machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Channel = tuple[Literal["group", "client", "everybody"], str]
LAWS: Final = ("shuffled", "doubled", "crossed", "promised", "unannounced")
UNCERTAIN: Final = "uncertain"
"""How a message ended whose speaker cannot know: its connection ended first."""
ON_THE_WAY_SECONDS: Final = 2.0
"""So much later than it is stamped a message may be said on the bus; then its speaker is told `bus_down`."""

LEAVING_SECONDS: Final = 5.0
"""What is said so shortly before a member leaves for good may not have reached it."""


@dataclass
class Saying:
    """One message. `said_at`: before it was sent; `settled_at`: when its speaker knew more; `sent_at`: its stamp."""

    number: int
    tenant: str
    speaker: str
    language: str
    channel: Channel
    said_at: float
    settled_at: float | None = None
    sent_at: float | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Told:
    """A member was told that it may have missed something, and from when to when."""

    since: float
    until: float
    how: Literal["gap", "incomplete", "silence"]

    def covers(self, saying: Saying) -> bool:
        if saying.sent_at is not None:
            return self.since <= saying.sent_at <= self.until
        return self.since <= (saying.settled_at or self.until) and saying.said_at <= self.until


@dataclass(frozen=True)
class Promise:
    """A member was told that its return at `until` is complete. `since`: the stamp of what it heard last before."""

    since: float
    until: float

    def covers(self, saying: Saying) -> bool:
        is_settled = saying.settled_at is not None and saying.settled_at <= self.until
        return is_settled and saying.sent_at is not None and self.since < saying.sent_at


@dataclass
class Book:
    """What one member heard. It is owed what is said from `came_at` on, until `left_at`."""

    tenant: str
    name: str
    group: str
    languages: set[str]
    """`v2`, `v3`, or `backend`: one that names a group and a client to hear."""
    hears_all_groups: bool | None = True
    """Whether it hears other groups while it is on V2: as the tenant is routed. `None`: it may, and need not."""
    came_at: float = 0.0
    left_at: float = float("inf")
    heard: list[int] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    unnamed_refusals: int = 0
    """How many of its own messages were refused without being named, as V2 is."""
    codes: list[int] = field(default_factory=list)
    """With what each of its connections was closed."""

    def is_owed(self, saying: Saying) -> bool:
        """Whether it should hear this."""
        settled_at = saying.settled_at or saying.said_at
        is_there = self.came_at < saying.said_at and settled_at < self.left_at - LEAVING_SECONDS
        return is_there and all(self._hears(saying, language) for language in self.languages)

    def may_hear(self, saying: Saying) -> bool:
        return any(self._hears(saying, language) is not False for language in self.languages)

    def _hears(self, saying: Saying, language: str) -> bool | None:
        kind, name = saying.channel
        if self.tenant != saying.tenant:
            return False
        if kind == "everybody":
            return language != "backend"
        if (kind == "group" and name == self.group) or (kind == "client" and name == self.name):
            return True
        is_wide = language == "v2" and (kind == "group" or saying.language == "v2")
        return self.hears_all_groups if is_wide else False


@dataclass(frozen=True)
class Breach:
    """One message that broke a law for one listener."""

    law: str
    listener: str
    number: int


@dataclass
class Verdict:
    """Every breach, by its law, and what was counted."""

    breaches: list[Breach]
    counts: Counter[str]

    def of(self, law: str) -> list[Breach]:
        return [breach for breach in self.breaches if breach.law == law]

    @property
    def broken(self) -> set[str]:
        return {breach.law for breach in self.breaches}


def judge(sayings: Mapping[int, Saying], books: Sequence[Book]) -> Verdict:
    """All breaches of the laws."""
    breaches = [breach for book in books for breach in _of_listener(sayings, book)]
    breaches += _unannounced(sayings, books)
    return Verdict(breaches, counts(sayings, books))


def _of_listener(sayings: Mapping[int, Saying], book: Book) -> Iterator[Breach]:
    """What is wrong with what one member heard."""
    last: dict[tuple[str, str, Channel], int] = {}
    seen: set[int] = set()
    for number in book.heard:
        saying = sayings[number]
        way = saying.tenant, saying.speaker, saying.channel
        last_number = last.get(way, 0)
        if not book.may_hear(saying):
            yield Breach("crossed", book.name, number)
        if number in seen:
            yield Breach("doubled", book.name, number)
        elif number < last_number:
            yield Breach("shuffled", book.name, number)
        seen.add(number)
        last[way] = max(number, last_number)


def _unannounced(sayings: Mapping[int, Saying], books: Sequence[Book]) -> Iterator[Breach]:
    """What was missed, and nobody was told."""
    excused = Counter({(book.tenant, book.name): book.unnamed_refusals for book in books})
    heard = {id(book): set(book.heard) for book in books}
    known = set().union(*heard.values())
    for number, saying in sayings.items():
        if saying.refusal and (saying.refusal != UNCERTAIN or number not in known):
            continue
        missing = [book for book in books if number not in heard[id(book)] and book.is_owed(saying)]
        broken = [book.name for book in missing if any(promise.covers(saying) for promise in book.promises)]
        lost = [book.name for book in missing if not any(told.covers(saying) for told in book.told)]
        speaker = saying.tenant, saying.speaker
        if (broken or lost) and excused[speaker]:
            excused[speaker] -= 1
            continue
        yield from (Breach("promised", name, number) for name in broken)
        yield from (Breach("unannounced", name, number) for name in lost)


def counts(sayings: Mapping[int, Saying], books: Sequence[Book]) -> Counter[str]:
    """What was said, heard, refused and told."""
    told = Counter(one.how for book in books for one in book.told)
    return Counter(
        {
            "said": len(sayings),
            "heard": sum(len(book.heard) for book in books),
            "refused": sum(bool(one.refusal) for one in sayings.values())
            + sum(book.unnamed_refusals for book in books),
            "complete": sum(len(book.promises) for book in books),
            "incomplete": told["incomplete"],
            "gaps": told["gap"],
        }
    )


def described(breaches: Iterable[Breach], sayings: Mapping[int, Saying]) -> str:
    """The first few, for whoever reads of a failed test."""
    lines = [f"{one.law}: {one.listener} and {sayings[one.number]}" for one in breaches]
    return "\n".join([*lines[:20], f"… {len(lines)} in all"])
