"""Those who take part: each keeps one connection by its door, comes back when it ends, and books what it hears.

Who speaks V3 comes back with `since`; who speaks V2 comes back under its id, and is told what it missed. A backend only
hears. Must never judge, and never import the bridge's packages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any, Final, Literal

from tests.end_to_end.clients import Server
from tests.faults.doors import LOOPBACK, OWN_GOODBYE, Door, Ended, Line, NotLetIn, open_line
from tests.faults.judge import ON_THE_WAY_SECONDS, UNCERTAIN, Book, Channel, Promise, Saying, Told

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.6
"""Before it connects again: twice as long after each time that it was not let in."""
POLITE: Final = frozenset({1012, 4404, 4410, 4426, 4503})
"""Close codes after which all is said that was sent before they arrived, and a V2 client is known to have heard all."""
GOODBYE_SECONDS: Final = 10.0
HEARTBEAT: Final = {"msg_type": "heartbeat", "target": "echo", "payload": {"cursor": True}}
SENDS_AWAY: Final = frozenset({"going_away", "moved_to_v3", "v2_retired", "v2_brownout", "stage_legacy"})


class Sayings:
    """All that was said, by its number."""

    def __init__(self) -> None:
        self.by_number: dict[int, Saying] = {}
        self._numbers = count(1)

    def begin(self, speaker: Member, channel: Channel) -> Saying:
        book = speaker.book
        saying = Saying(next(self._numbers), book.tenant, book.name, speaker.door.language, channel, time.time())
        self.by_number[saying.number] = saying
        return saying


class Member:
    """One client. `servers`: where it connects; the next one, when it is not let in or sent away."""

    def __init__(self, book: Book, door: Door, servers: Sequence[Server], sayings: Sayings, api_key: str = "") -> None:
        self.door = door
        self.book: Final = book
        self.servers: Final = servers
        self.presence: Final[list[tuple[str, str]]] = []
        """JOIN or LEAVE, and of whom: as it heard them."""
        self.line: Line | None = None
        self.latest: Final[dict[tuple[str, Channel], int]] = {}
        """The last number heard of each speaker, on each channel."""
        self.denials: Final[list[NotLetIn]] = []
        self.is_gone = False
        """Whether it does not come back when its connection ends, and says no goodbye."""
        self.address = LOOPBACK
        """From where it connects."""
        self.keeps_cursors = True
        """Whether it takes the cursors that it is given; else it goes by the last message alone."""
        self._sayings = sayings
        self._api_key = api_key
        self._changed = asyncio.Event()
        self._server = 0
        self._since: str | None = None
        self._known_at = self._since_at = 0.0
        """Until when it knows all: the stamp of what it heard last, or the time of its cursor; and so at its return."""
        self._cursor: str | None = None
        self._is_sent_away = False
        self._entering: Line | None = None
        self._unsettled: dict[int, Saying] = {}
        self._words: Final[Mapping[str, Callable[[dict[str, Any]], None]]] = {
            "GAP": self._note_gap,
            "RESUMED": self._note_return,
            "ERROR": self._note_refusal,
            "JOIN": lambda who: self.presence.append(("JOIN", who["client_id"])),
            "LEAVE": lambda who: self.presence.append(("LEAVE", who["client_id"])),
        }

    @property
    def is_in(self) -> bool:
        return self.line is not None

    async def live(self) -> None:
        """Connect, hear, and come back, until cancelled. Whoever is cancelled says goodbye."""
        pause_seconds = PAUSE_SECONDS
        while not self.is_gone:
            try:
                line = await self._open()
            except NotLetIn as denied:
                self.denials.append(denied)
                self._server += 1
                pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
            else:
                pause_seconds = PAUSE_SECONDS
                await self._visit(line)
            await asyncio.sleep(pause_seconds)

    async def _open(self) -> Line:
        server, told = self.servers[self._server % len(self.servers)], {}
        if self._api_key:
            told["api_key"] = self._api_key
        if self._since is not None and self.door.language == "v3":
            told["since"] = self._since
        return await open_line(server, self.door, self.book.group, self.book.name, told, self.address)

    async def _visit(self, line: Line) -> None:
        """One connection, from its beginning to its end."""
        code = OWN_GOODBYE
        try:
            await self._begin(line)
            while True:
                self._note(await line.hear())
                self._changed.set()
        except Ended as ended:
            code = ended.code
        except asyncio.CancelledError:
            await self._say_goodbye(line)
            raise
        finally:
            line.cut()
            self._end(code)

    async def _say_goodbye(self, line: Line) -> None:
        """It leaves for good; what it hears meanwhile is not its own any more."""
        self.line = None
        with suppress(Ended, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await line.say_goodbye()
                while True:
                    await line.hear()

    async def _begin(self, line: Line) -> None:
        self._entering, self._since_at, self._is_sent_away = line, self._known_at, False
        if self.door.language == "v2":
            self._return_on_v2()
            self.line = line
        elif self._since is None and self.book.came_at:
            self._told("silence")
        if self.door.way == "events":
            self._enter(None)
        elif self.door.language == "v3" and self._since is None:
            await line.say(0, HEARTBEAT)
        self._changed.set()

    def _told(self, how: Literal["incomplete", "silence"]) -> None:
        """It returns, and does not know whether it has missed anything since it was last here."""
        self.book.told.append(Told(self._since_at - ON_THE_WAY_SECONDS, time.time(), how))

    def _return_on_v2(self) -> None:
        """It hears what it missed, or of a gap; nothing only if its process has had no time to leave where it was."""
        if not self.book.came_at:
            self.book.came_at = time.time()
        elif self.book.codes[-1] not in {*POLITE, OWN_GOODBYE}:
            self._told("silence")

    def _end(self, code: int) -> None:
        self.line = None
        self.book.codes.append(1012 if self._is_sent_away and code == 1006 else code)
        if code not in POLITE or self.door.way != "websocket":
            for saying in self._unsettled.values():
                saying.refusal = UNCERTAIN
        self._unsettled.clear()
        if self._is_sent_away:
            self._server += 1
        self._changed.set()

    async def say(self, channel: Channel, text: str = "") -> Saying | None:
        """Say the next number on a channel, and a text; `None` if it is not connected."""
        line = self.line
        if line is None:
            return None
        saying = self._sayings.begin(self, channel)
        self._unsettled[saying.number] = saying
        try:
            await line.say(saying.number, self._message(saying) | ({"msg": text} if text else {}))
        except Ended:
            saying.refusal = UNCERTAIN
        return saying

    def _message(self, saying: Saying) -> dict[str, Any]:
        kind, name = saying.channel
        if self.door.language == "v2":
            return {"type": "cmd", "cmd": str(saying.number)} | ({"to": name} if kind == "client" else {})
        target = {"group": "group", "client": "direct", "everybody": "broadcast"}[kind]
        to_one = {"to_id": name} if kind == "client" else {}
        return {"msg_type": "cmd", "target": target, "cmd": str(saying.number), **to_one}

    def _note(self, frame: dict[str, Any]) -> None:
        cmd = frame.get("cmd", "")
        if "acknowledged" in frame:
            self._note_answer(frame["acknowledged"], frame["answer"])
        elif cmd.isdigit():
            self._note_message(int(cmd), frame.get("sent_at"))
        elif cmd in self._words:
            self._words[cmd](frame["payload"])
        elif "bridge" in frame:
            self._note_word(frame["bridge"])
        elif frame.get("msg_type") == "heartbeat":
            self._enter(frame["payload"].get("cursor"))
        if self.door.way == "events":
            self._since = frame["position"] or self._since
        elif self.door.language == "v3" and frame.get("target", "echo") != "echo":
            self._since = frame["sent_at"]

    def _note_gap(self, payload: dict[str, Any]) -> None:
        self.book.told.append(Told(moment(payload["from"]), moment(payload["to"]), "gap"))

    def _note_message(self, number: int, sent_at: str | None) -> None:
        saying = self._sayings.by_number[number]
        self.book.heard.append(number)
        self.latest[saying.speaker, saying.channel] = number
        if sent_at is not None:
            saying.sent_at = moment(sent_at)
        self._known_at = saying.sent_at or time.time()
        if saying.speaker == self.book.name:
            self._settle_until(number)

    def _settle_until(self, number: int) -> None:
        """It has heard itself: all that it said before was taken, too, or refused."""
        now = time.time()
        for earlier in [one for one in self._unsettled if one <= number]:
            self._unsettled.pop(earlier).settled_at = now

    def _note_answer(self, number: int, answer: Any) -> None:
        saying = self._unsettled.pop(number, None)
        if saying is not None:
            saying.settled_at = time.time()
            saying.refusal = "" if answer.get("ok") else answer.get("code") or answer["bridge"]["error"]

    def _note_refusal(self, payload: dict[str, Any]) -> None:
        number = payload["refused"].get("cmd", "")
        if number.isdigit():
            saying = self._sayings.by_number[int(number)]
            saying.refusal, saying.settled_at = payload["code"], time.time()
            self._unsettled.pop(saying.number, None)
        elif payload["code"] in SENDS_AWAY:
            self._is_sent_away = True

    def _note_word(self, word: dict[str, Any]) -> None:
        """What the bridge itself says to V2. It does not name the message that it refuses."""
        if "successor" in word:
            self._move(word.get("since"))
        elif word.get("error") in SENDS_AWAY:
            self._is_sent_away = True
        elif "error" in word:
            self.book.unnamed_refusals += 1

    def _move(self, since: str | None) -> None:
        """From now on it speaks V3."""
        self._is_sent_away = True
        self._since = since
        self.door = Door("v3", self.door.way)
        self.book.languages.add("v3")

    def _note_return(self, payload: dict[str, Any]) -> None:
        if payload["complete"]:
            self.book.promises.append(Promise(self._since_at, time.time()))
        else:
            self._told("incomplete")
        self._enter(payload["cursor"])

    def _enter(self, cursor: str | None) -> None:
        """It is in, and misses nothing from now on. Who goes by messages alone takes a first cursor and no other."""
        self._cursor = cursor
        if not self.book.came_at:
            self.book.came_at = time.time()
        if cursor is not None and (self.keeps_cursors or self._since is None):
            self._since, self._known_at = cursor, time.time()
        self.line = self._entering

    async def ask_cursor(self) -> str:
        """Ask for a fresh cursor."""
        assert self.line is not None
        self._cursor = None
        await self.line.say(0, HEARTBEAT)
        await self.until(lambda one: one._cursor is not None)
        return str(self._cursor)

    def resume(self, cursor: str) -> None:
        """When it comes it is one that returns, and knows all up to here."""
        self._since, self._known_at, self.book.came_at = cursor, time.time(), time.time()

    async def until(self, holds: Callable[[Member], bool]) -> None:
        """Wait until something holds of this member."""
        while not holds(self):
            await self._changed.wait()
            self._changed.clear()

    async def until_heard(self, saying: Saying) -> None:
        """Wait until this, or something later that the same speaker said there, was heard."""
        way = saying.speaker, saying.channel
        await self.until(lambda one: one.latest.get(way, 0) >= saying.number)


async def break_off(member: Member) -> None:
    """End its connection: on V3 without a word, on V2 with one, since only then it is known what it has heard."""
    line = member.line
    if line is not None and member.door.language == "v3":
        line.cut()
    elif line is not None:
        with suppress(Ended):
            await line.say_goodbye()


def moment(text: str) -> float:
    """A time as ISO 8601, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
