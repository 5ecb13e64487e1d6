"""Clients who come and go in a world where much goes wrong, and the laws that hold for each of them whatever happens.

A moment is the number of an event: what has the higher one was later. Must never know how the bridge keeps the laws.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Self

from bridge.broker.addresses import number_in
from bridge.broker.history import HistoryOptions
from bridge.broker.presence import Place
from bridge.continuity.departures import answer_to
from bridge.continuity.part import Return
from bridge.continuity.positions import OWN, UNKNOWN
from bridge.handshake.subscriptions import SUBSCRIPTION_SECONDS, Listening, Subscriptions
from bridge.records.rows import Language
from tests.bridge.continuity.processes import GROUP, TENANT, Client, Process

NAMES: Final = "ann", "ben", "vic"


@dataclass(eq=False)
class Said:
    """One message. `said` and `answered`: when; `heard_by`: what was answered."""

    text: str
    channels: Sequence[bytes]
    speaker: int
    said: int
    answered: int = 0
    heard_by: int | None = None

    @property
    def is_direct(self) -> bool:
        return b":c:" in self.channels[0]

    @property
    def is_taken(self) -> bool:
        """Whether its sender knows that it is said, and was not told that nobody heard it."""
        return self.heard_by is not None and (self.heard_by > 0 or not self.is_direct)


@dataclass
class Events:
    """What has happened. `troubled`: when something last went wrong; `is_calm`: whether all is well again since."""

    options: HistoryOptions
    moments: count[int] = field(default_factory=lambda: count(1))
    said: dict[str, Said] = field(default_factory=dict)
    troubled: int = 0
    is_calm: bool = True
    is_lasting: bool = False
    """Whether what went wrong lasts: while its clock is behind its numbers Redis keeps nothing for good."""
    needless: list[str] = field(default_factory=list)
    """Who was told that it may have missed something, though nothing went wrong."""

    def now(self) -> int:
        return next(self.moments)

    def trouble(self, *, is_lasting: bool = False) -> None:
        self.troubled, self.is_calm, self.is_lasting = self.now(), False, self.is_lasting or is_lasting

    def calm(self) -> None:
        if not self.is_calm and not self.is_lasting:
            self.troubled, self.is_calm = self.now(), True

    @property
    def has_room(self) -> bool:
        """Whether everything is kept, as long as nothing goes wrong."""
        return self.options.direct and self.options.messages > 100 and self.options.most_bytes > 1_000_000


class Visitor:
    """One client. It remembers what it has heard over all of its connections."""

    def __init__(self, name: str, language: Language, events: Events) -> None:
        self.client = Client(name, language)
        self.client.lines = _Lines(self)
        self.events = events
        self.heard: list[str] = []
        self._new_from = 0
        """How much it had heard when it last came as new. Who comes so may hear again what all hear."""
        self.told = self.told_own = 0
        """Until when it knows that it may have missed something: of all, and of what was said to it alone."""
        self.since, self.since_moment = "", 0
        self.is_in = self.is_leaving = False
        self.home = 0
        """The number of the process where it is."""
        self._channels: list[bytes] = []
        self._hears: frozenset[bytes] = frozenset()
        self._begun = 0

    @property
    def place(self) -> Place:
        return Place(TENANT, GROUP, self.client.name, self.client.language)

    def note(self, line: dict[str, Any]) -> None:
        """It hears something."""
        moment = self.events.now()
        if "msg" in line:
            self.heard.append(line["msg"])
        elif line["cmd"] == "GAP" or not line["payload"]["complete"]:
            self.told = self.told_own = moment
            if self._knows_where_it_was():
                self.events.needless.append(self.client.name)
        if self.client.language == "v3":
            if line["target"] != "echo":
                self.keep(line["sent_at"], moment)
            elif line["cmd"] == "RESUMED":
                self.keep(line["payload"]["cursor"], self._begun)

    def keep(self, since: str | None, moment: int = 1) -> None:
        """It will come back with this, which it was at that moment; if unsaid, when all began or later."""
        if since is not None:
            self.since, self.since_moment = since, moment

    def _knows_where_it_was(self) -> bool:
        """Whether nothing went wrong since it knew where it was, so that everything must be there."""
        is_known = self.since not in ("", UNKNOWN)
        return self.events.is_calm and self.events.has_room and is_known and self.since_moment > self.events.troubled

    def may_say_since(self) -> bool:
        return self.client.language == "v3" or self.events.options.v2

    async def come(self, home: int, process: Process, *, as_new: bool) -> None:
        """Connect as a handshake does it, and say where it was, unless `as_new`; no longer than one waits for Redis."""
        begun = self._begun = self.events.now()
        if as_new or not self.may_say_since():
            self.since = ""
        if not self.since:
            self._new_from = len(self.heard)
        departures, channels = process.continuity.departures, self.client.channels(process)
        expected = departures.ask_whether_expected(self.place)
        try:
            async with asyncio.timeout(SUBSCRIPTION_SECONDS):
                await process.subscriber.hold(channels)
        except TimeoutError:
            process.subscriber.release(channels)
            return
        noted = answer_to(expected)
        number = number_in(noted)
        returning: Return | None = None
        if self.since:
            returning = await process.continuity.resume(self.since, channels, self.client.language)
        else:
            if number is not None:
                returning = await process.continuity.welcome(number, channels[OWN])
            self.told = self.events.now()
            self.told_own = self.told_own if number is not None else self.told
        await departures.come_back(self.place, noted)
        self.home, self.is_in, self._channels, self._hears = home, True, channels, frozenset(channels)
        self.client.begin(process, channels, returning)
        self.check(begun)

    def go(self, process: Process) -> None:
        """It ends its connection, and has taken all that it was sent: a client of V2 leaves where it was."""
        if self.client.language == "v2":
            channels = self.client.channels(process)
            self.keep(process.continuity.departures.cursor_at_end(channels) if not self.is_leaving else UNKNOWN)
        self.end()

    def end(self) -> None:
        """Its connection is over."""
        self.client.go()
        self._channels.clear()
        self.is_in = self.is_leaving = False

    def lose(self) -> None:
        """Its process is gone: nobody kept where a client of V2 was."""
        if self.client.language == "v2":
            self.since = ""
        self.client.forget()
        self.is_in = self.is_leaving = False

    def ask(self, process: Process) -> None:
        """It asks for a cursor, and keeps it if it is still there when the answer comes. V2 has no word for that."""
        connection, asked = self.client.connection, self.events.now()

        def take(cursor: str | None) -> None:
            if self.client.connection is connection and not self.is_leaving:  # as a session tells it
                self.keep(cursor, asked)

        if self.client.language == "v3":
            process.continuity.cursor(self.client.channels(process), take)

    def send_away(self, process: Process, becomes: Language) -> None:
        """The bridge sends it away and expects it back, perhaps in the other language."""
        if self.is_leaving:
            return
        self.is_leaving = True
        connection, channels = self.client.connection, self._channels
        departures = process.continuity.departures
        part = Subscriptions(None, process.subscriber, None, process.addresses, departures)  # type: ignore[arg-type]

        def away(cursor: str | None) -> None:
            if self.client.connection is not connection:
                return
            if self.client.language == "v2":
                self.keep(cursor or UNKNOWN)
            elif becomes == "v2":
                self.since = ""
            self.end()
            self.client.language = becomes

        part.withdraw(Listening(self.place, channels, self.client.deafen), True, away)

    def check(self, moment: int) -> None:
        """Of what was surely said by then it has heard everything, or was told of it; nothing twice, and in order."""
        said, events, name = self.events.said, self.events, self.client.name
        due = [
            text
            for text, one in said.items()
            if one.is_taken
            and one.said > (self.told_own if one.is_direct else self.told)
            and 0 < one.answered < moment
            and not self._hears.isdisjoint(one.channels)
        ]
        missing = [text.strip() for text in due if text not in self.heard]
        assert not missing, f"{name} misses {missing}"
        once = [text for text in self.heard[: self._new_from] if said[text].is_direct] + self.heard[self._new_from :]
        assert len(set(once)) == len(once), f"{name} heard something twice: {[text.strip() for text in once]}"
        sources: dict[tuple[int, bytes], list[int]] = {}
        for text in once:
            sources.setdefault((said[text].speaker, said[text].channels[0]), []).append(int(text))
        assert all(numbers == sorted(numbers) for numbers in sources.values()), f"{name} heard {sources}"
        assert not events.needless, f"{events.needless} may have missed something, and why?"


class _Lines(list[dict[str, Any]]):
    """The lines of a client, which go on to who looks at them."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__()
        self._visitor = visitor

    def __iadd__(self, lines: Any) -> Self:  # type: ignore[override,misc]
        for line in lines:
            self._visitor.note(line)
        return self
