"""Fifty members of all doors in two groups, spread over the processes, of whom some speak all the while.

Must never judge: what was said and heard is in its books.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import Final

from tests.end_to_end.clients import Server
from tests.faults.doors import Door
from tests.faults.judge import Book, Channel, Saying
from tests.faults.members import Member, Sayings

MEMBERS: Final[Mapping[Door, int]] = {
    Door("v3", "websocket"): 16,
    Door("v2", "websocket"): 16,
    Door("v3", "socketio"): 5,
    Door("v2", "socketio"): 5,
    Door("v3", "polling"): 3,
    Door("v2", "polling"): 3,
    Door("v3", "events"): 2,
}
FEW: Final[Mapping[Door, int]] = {
    Door("v3", "websocket"): 4,
    Door("v2", "websocket"): 4,
    Door("v3", "socketio"): 1,
    Door("v2", "socketio"): 1,
    Door("v3", "polling"): 1,
    Door("v2", "polling"): 1,
    Door("v3", "events"): 2,
}
"""For what is done very often."""
SPEAKERS_OF_A_DOOR: Final = 1
GROUPS: Final = ("talk", "talk", "side")
EVERYBODY: Final[Channel] = "everybody", ""
A_SECOND: Final = 4.0
"""Messages of one speaker."""
PATIENCE_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 0.3
LONGEST_SECONDS: Final = 5.0


class Population:
    """The members, and what they said. `speakers`: the first of each door that speaks."""

    def __init__(
        self,
        servers: Sequence[Server],
        members: Mapping[Door, int] = MEMBERS,
        sayings: Sayings | None = None,
        tenant: str = "default",
        api_key: str = "",
        surname: str = "",
    ) -> None:
        """`sayings`: shared with other populations, so that no two messages have one number."""
        self.sayings: Final = sayings or Sayings()
        self.members: Final = list(self._made(servers, members, tenant, api_key, surname))
        self.speakers: Final = [
            one
            for door in members
            if door.way != "events"
            for one in islice((each for each in self.members if each.door == door), SPEAKERS_OF_A_DOOR)
        ]
        self.a_second = A_SECOND
        """How many messages each speaker says."""
        self._living: dict[Member, asyncio.Task[None]] = {}
        self._lost: list[asyncio.Task[None]] = []
        self._random = random.Random(7)
        self._spoken: dict[tuple[Member, Channel], None] = {}

    def _made(
        self, servers: Sequence[Server], members: Mapping[Door, int], tenant: str, api_key: str, surname: str
    ) -> Iterator[Member]:
        for number, door in enumerate(door for door, many in members.items() for _ in range(many)):
            order = [*servers[number % len(servers) :], *servers[: number % len(servers)]]
            name = f"{door.language}-{door.way}-{number}".replace("v2-", "old-") + surname
            hears_as = "backend" if door.way == "events" else door.language
            book = Book(tenant, name, GROUPS[number % len(GROUPS)], {hears_as})
            member = Member(book, door, order, self.sayings, api_key)
            member.keeps_cursors = number % 2 == 0
            yield member

    @property
    def living(self) -> list[Member]:
        """Those who have come and not left."""
        return list(self._living)

    def by_door(self, language: str, way: str = "websocket") -> list[Member]:
        return [member for member in self.members if (member.door.language, member.door.way) == (language, way)]

    async def come(self, members: Iterable[Member] | None = None) -> None:
        """Have them connect, and return when all are in."""
        coming = list(self.members if members is None else members)
        for member in coming:
            self._living[member] = asyncio.create_task(member.live())
        await self.all_in(coming)

    async def all_in(self, members: Iterable[Member] | None = None) -> None:
        """Return when all of them are connected."""
        awaited = self.living if members is None else members
        await asyncio.gather(*(member.until(lambda one: one.is_in) for member in awaited))

    async def leave(self, members: Iterable[Member] | None = None) -> None:
        """Have them say goodbye, and return when they have."""
        await end([self._living.pop(member) for member in list(members or self._living)] + self._lost)

    def lose(self, members: Iterable[Member]) -> None:
        """When their connections end they are gone, without a goodbye."""
        for member in members:
            member.is_gone, member.book.left_at = True, time.time()
            self._lost.append(self._living.pop(member))

    def everything_was_heard(self) -> bool:
        """Whether nobody was told that it may have missed something, and nothing was refused."""
        told = [member.book.name for member in self.members if member.book.told or member.book.unnamed_refusals]
        return not told and not any(saying.refusal for saying in self.sayings.by_number.values())

    @asynccontextmanager
    async def talking(self, speakers: Sequence[Member] | None = None) -> AsyncIterator[None]:
        """While this lasts, these say one message after the other, if they can."""
        speaking = [one for one in speakers or self.speakers if one.door.way != "events"]
        tasks = [asyncio.create_task(self._go_on(speaker)) for speaker in speaking]
        try:
            yield
        finally:
            await end(tasks)

    async def _go_on(self, speaker: Member) -> None:
        while True:
            await self.say(speaker, self._any_channel(speaker))
            await asyncio.sleep(self._random.uniform(0.5, 1.5) / self.a_second)

    def _any_channel(self, speaker: Member) -> Channel:
        """Mostly the group; now and then a friend, always the same few; on V3 everybody, too."""
        kind = self._random.random()
        if kind < 0.6 or (speaker.door.language == "v2" and kind > 0.8):
            return "group", speaker.book.group
        if kind < 0.8:
            friends = [self.members[(self.members.index(speaker) + step) % len(self.members)] for step in (1, 20)]
            return "client", self._random.choice(friends).book.name
        return EVERYBODY

    async def say(self, speaker: Member, channel: Channel, text: str = "") -> Saying | None:
        """Say something, if the speaker is connected."""
        self._spoken[speaker, channel] = None
        return await speaker.say(channel, text)

    async def all_hear(self, speaker: Member, channel: Channel = EVERYBODY) -> None:
        """Say something, again and again, until all hear it who should; then nothing said there is under way."""
        seconds = AGAIN_SECONDS
        while True:
            await speaker.until(lambda one: one.is_in)
            saying = await self.say(speaker, channel)
            if saying is not None and await self._is_heard(saying, seconds):
                return
            seconds = min(2 * seconds, LONGEST_SECONDS)

    async def _is_heard(self, saying: Saying, seconds: float) -> bool:
        """Whether all hear it, within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                for one in self.living:
                    if one.book.is_owed(saying):
                        await one.until_heard(saying)
        except TimeoutError:
            return False
        return True

    async def settle(self) -> None:
        """Return when nothing is under way: on each channel all have heard something that was said only now.

        Who is deaf never does: after `PATIENCE_SECONDS` it is left to the judge.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.all_in()
                await asyncio.gather(
                    *(self.all_hear(*spoken) for spoken in list(self._spoken) if spoken[0] in self._living)
                )


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them, and raise what one of them has raised."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended
