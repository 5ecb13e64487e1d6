"""What is kept in Redis of a client that has gone, so that nothing is missed when it comes back. No rules.

A client that is sent away and called back is expected: what is said to it alone is kept, though nobody hears it, and
its sender is told that it is heard. So it hears that when it comes back, whether it asks or not. A V2 client leaves up
to where it has heard everything: it has no other way to tell that when it comes back. Both are kept as long as
histories are, and are gone when the client is back.

Up to where a client has heard everything is known only when it has taken what it was sent last, and only if no other
connection of it has left something else: whoever comes back may be either of them.

Where V2 clients hear what they missed it is noted, too, that one is here. So one that comes back before anybody has
seen it go, or after its process has died, is not taken for one that has never been here.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.history import HistoryOptions
from bridge.broker.presence import Place
from bridge.broker.scripts import Script
from bridge.continuity.handed_on import HandedOn
from bridge.continuity.positions import OWN, UNKNOWN, cursor_of

LEAVE: Final = Script.in_file("bridge.continuity", "departures_leave")
FORGET: Final = Script.in_file("bridge.continuity", "departures_forget")
_NOT_TAKEN_YET: Final = "@?"
"""Before the cursor of a client that is sent away, until it has certainly taken what it was sent."""
_HERE: Final = "here"
"""In the place of a cursor: a V2 client of this name is here, as far as anybody knows."""
SIGN_SECONDS: Final = 60
"""More than passes between two signs of life of a client. What is noted of a V2 client is kept so much longer."""
MOST_UNTAKEN: Final = 10_000
"""Clients that have gone while Redis was away, and as many that came. Of further ones nothing is noted later."""
READ_SECONDS: Final = 0.5
"""So long a V2 client that comes back waits for what it left; then it is not known what it has missed."""


def _ignore(_reply: object) -> None: ...


def _is_refused(reply: object) -> bool:
    """Whether Redis has not done it, or perhaps not."""
    return reply is None or isinstance(reply, Exception)


def answer_to(asked: "asyncio.Future[object]") -> object:
    """What Redis has answered by now; `None` if it has not."""
    return asked.result() if asked.done() else None


class Departures:
    """The clients of one process that go and come. Without `seconds` there is no history, and nothing is kept."""

    def __init__(self, bus: Bus, addresses: Addresses, handed_on: HandedOn, options: HistoryOptions) -> None:
        self._bus = bus
        self._addresses = addresses
        self._handed_on = handed_on
        self._seconds: Final = options.seconds
        self._untaken: set[str] = set()
        """The keys of what clients have left while Redis could not be reached."""
        self._stale: dict[bytes, bytes] = {}
        """Key -> what was noted of an expected client that came back, and could not be forgotten."""
        if options.seconds:
            bus.back.add(self._catch_up)
        self.is_on: Final = options.seconds > 0
        self.keeps_all: Final = options.seconds > 0 and options.direct
        """Whether everything is kept that is said to an expected client, also to it alone."""
        self.replays_on_v2: Final = options.seconds > 0 and options.v2
        """Whether a V2 client that returns under its id hears what it missed."""

    def expect(self, place: Place, channels: Sequence[bytes], then: Callable[[int], None]) -> None:
        """Expect a client back. `then` gets a watermark of its channels when Redis has noted that; 0 if it has not."""
        if not self._seconds:
            then(0)
            return
        self._set(self._expected(place), 0)
        self._handed_on.ask(channels, then)

    def between_batches(self, channels: Sequence[bytes], then: Callable[[], None]) -> None:
        """Call `then` when it is certain what listeners of these channels have been sent."""
        self._handed_on.between_batches(channels, then)

    def part(self, place: Place, channels: Sequence[bytes], watermark: int) -> str | None:
        """An expected client is sent away now, between batches, after such a watermark: its cursor.

        `None` without a history.
        """
        if not self._seconds:
            return None
        if not watermark:
            return UNKNOWN
        numbers = self._handed_on.numbers(channels, watermark)
        self._set(self._expected(place), numbers[OWN])
        return cursor_of(numbers)

    def cursor_at_end(self, channels: Sequence[bytes]) -> str:
        """The cursor of a connection that has just ended, whose client has taken all that it was sent."""
        numbers = self._handed_on.now(channels)
        return UNKNOWN if numbers is None else cursor_of(numbers)

    def leave(self, place: Place, cursor: str) -> None:
        """A V2 client has gone, and has heard everything up to this cursor."""
        if self._seconds:
            key = self._addresses.left(place.tenant, place.client)
            self._leave(key, cursor, "", partial(self._note_untaken, key))

    def send_away(self, place: Place, cursor: str) -> None:
        """A V2 client is sent away. It has heard everything up to this cursor if `has_taken_all` follows."""
        self.leave(place, _NOT_TAKEN_YET + cursor)

    def has_taken_all(self, place: Place, cursor: str) -> None:
        """A V2 client that was sent away with this cursor has certainly taken everything that it was sent."""
        if self._seconds:
            key = self._addresses.left(place.tenant, place.client)
            self._leave(key, cursor, _NOT_TAKEN_YET + cursor, _ignore)

    def stay(self, place: Place) -> None:
        """A V2 client has come, or has given a sign of life. That is on its way to Redis before the client knows."""
        if self.replays_on_v2:
            self._leave(self._addresses.left(place.tenant, place.client), _HERE, "", _ignore)
            self._bus.flush()

    def _leave(self, key: str, cursor: str, instead_of: str, then: Callable[[object], None]) -> None:
        """The script is sent whole, so that no DEL of a client that is back overtakes it."""
        arguments = cursor, self._seconds + SIGN_SECONDS, UNKNOWN, instead_of
        self._bus.command(pack("EVAL", LEAVE.source, 1, key, *arguments), then)

    def _note_untaken(self, key: str, reply: object) -> None:
        if _is_refused(reply) and len(self._untaken) < MOST_UNTAKEN:
            self._untaken.add(key)

    def _catch_up(self) -> None:
        """Redis is back, and the clients that have come or gone meanwhile may have been at another process since.

        So a cursor would be too old: it is left that it is not known, in the place of nothing else.
        """
        untaken, self._untaken = self._untaken, set()
        for key in untaken:
            self._set(key, UNKNOWN, "NX")
        stale, self._stale = self._stale, {}
        for expected, noted in stale.items():
            FORGET.run(self._bus, [expected.decode()], [noted], _ignore)

    async def come_back(self, place: Place, noted: object) -> None:
        """A client is about to be connected again: it is not expected any more, and what it left is of no use.

        `noted`: what `ask_whether_expected` said of it. If it was expected this returns when Redis has answered: only
        then may it hear what was said to it, or it could go and hear that again elsewhere.
        """
        if not self._seconds:
            return
        left, expected = self._addresses.left(place.tenant, place.client), self._expected(place)
        forgotten = self._ask("DEL", expected, left)
        forgotten.add_done_callback(lambda done: self._note_stale(expected, noted, done.result()))
        if isinstance(noted, bytes):
            await asyncio.shield(forgotten)

    def expect_again(self, own: bytes, number: int) -> None:
        """A client that came back has gone again before it heard anything on its `own` channel after `number`."""
        self._set(_expected_on(self._addresses, own), number, "NX")

    def _note_stale(self, expected: bytes, noted: object, reply: object) -> None:
        """Else what it hears now would be said to it once more when it comes the next time."""
        if _is_refused(reply) and isinstance(noted, bytes) and len(self._stale) < MOST_UNTAKEN:
            self._stale[expected] = noted

    async def left(self, tenant: str, client: str) -> str | None:
        """The cursor that a V2 client left; `None` if it was not here.

        `UNKNOWN` if it has left none, or Redis does not say so in time.
        """
        if not self._seconds:
            return None
        try:
            async with asyncio.timeout(READ_SECONDS):
                reply = await self._ask("MGET", self._addresses.left(tenant, client))
        except TimeoutError:
            return UNKNOWN
        if not isinstance(reply, list):  # a GET would be answered as if there were no answer
            return UNKNOWN
        (left,) = reply
        if not isinstance(left, bytes):
            return None
        cursor = left.decode(errors="replace")
        return UNKNOWN if cursor.startswith((_NOT_TAKEN_YET, _HERE)) else cursor

    def ask_whether_expected(self, place: Place) -> "asyncio.Future[object]":
        """The future gets the number up to which an expected client has heard what was said to it alone, as bytes."""
        if not self._seconds:
            return asyncio.get_running_loop().create_future()
        return self._ask("GET", self._expected(place))

    def _ask(self, command: str, *keys: bytes | str) -> "asyncio.Future[object]":
        answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._bus.command(pack(command, *keys), lambda reply: None if answered.done() else answered.set_result(reply))
        return answered

    def _set(self, key: bytes | str, value: str | int, *how: str, then: Callable[[object], None] = _ignore) -> None:
        self._bus.command(pack("SET", key, value, "EX", self._seconds, *how), then)

    def _expected(self, place: Place) -> bytes:
        return _expected_on(self._addresses, self._addresses.client(place.tenant, place.client))


def _expected_on(addresses: Addresses, own: bytes) -> bytes:
    return addresses.kept_under(own) + b":expected"
