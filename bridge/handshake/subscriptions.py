"""The resources of a connection: a place in this process, its Redis channels, and its entry in presence.

All are taken before the handshake is accepted, and all are released when the connection is over. If taking one of them
fails, those already taken are released.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place, Presence
from bridge.broker.subscriber import Subscriber
from bridge.budget.shares import Owner
from bridge.continuity.departures import Departures
from bridge.handshake.tenant_limits import TenantLimits
from bridge.messaging.routing import listens_on
from bridge.records.rows import Language

SUBSCRIPTION_SECONDS: Final = 3.0
WITHDRAWAL_SECONDS: Final = 0.25
"""How long a client that is sent away waits for Redis, so that what is said to it is delivered or refused."""

Withdrawn = Callable[[str | None], None]
"""Called with the cursor of a client that is about to be sent away, if it is known."""


class Listening(NamedTuple):
    """What one connection has taken: its place, and its channels. `deafen` ends what it hears."""

    place: Place
    channels: list[bytes]
    deafen: Callable[[], None]


class Unavailable(Exception):
    """A client cannot be served now. `code`: one of the closed list of refusals. `sentence`: the reason, for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code: Final = code
        self.sentence: Final = sentence


class Subscriptions:
    """Takes and releases the resources of connections, for one process."""

    def __init__(
        self,
        limits: TenantLimits,
        subscriber: Subscriber,
        presence: Presence,
        addresses: Addresses,
        departures: Departures,
    ) -> None:
        self._limits = limits
        self._subscriber = subscriber
        self._presence = presence
        self._addresses = addresses
        self._departures = departures

    async def take(self, owner: Owner, place: Place, language: Language) -> list[bytes]:
        """Take the resources of one connection, and return its channels.

        Returns when Redis has confirmed the subscriptions and stored the presence entry. Raises `Unavailable`:
        `overloaded` when the owner is over a limit, `bus_down` when Redis does not answer in
        `SUBSCRIPTION_SECONDS`.
        """
        channels = listens_on(language, place.tenant, place.group, place.client, self._addresses)
        await self.listen(owner, channels, place)
        return channels

    async def listen(self, owner: Owner, channels: Sequence[bytes], place: Place | None = None) -> None:
        """Take a share and these channels, as `take` does; without a `place` for who is in nobody's presence."""
        if (sentence := self._limits.let_in(owner)) is not None:
            raise Unavailable("overloaded", sentence)
        try:
            await self._subscribe(channels, place)
        except BaseException as error:
            self._limits.shares.give_back(owner)
            if isinstance(error, TimeoutError):
                raise Unavailable("bus_down", "Redis did not answer in time; connect again in a moment.") from None
            raise

    async def _subscribe(self, channels: Sequence[bytes], place: Place | None) -> None:
        """Subscribe and enter presence: both leave in this turn of the loop, on their own links, and take one trip.

        Nobody can tell that the entry may be there first: a JOIN waits until the client listens; and who finds it among
        the members before that, and speaks to it, is told that it is not connected, which is true until the 101.
        """
        listens: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entered = None if place is None else self._enter(place, listens)
        try:
            async with asyncio.timeout(SUBSCRIPTION_SECONDS):
                await self._subscriber.hold(channels)
                listens.set_result(None)
                if entered is not None:
                    await entered
        except BaseException:
            listens.cancel()
            self._subscriber.release(channels)
            if place is not None:
                self._presence.leave(place)
            raise

    def withdraw(self, one: Listening, is_expected: bool, then: Withdrawn) -> None:  # noqa: FBT001
        """Unsubscribe from what is said to this client alone, then call `then`: it is about to be sent away.

        What is said to it before has been delivered by then; what is said later is kept if it is expected back, else
        refused as `not_connected`. Its channels, which `give_back` will get, are shortened.
        """
        if is_expected:
            leave = partial(self._leave, one, then)
            self._departures.expect(one.place, tuple(one.channels), _once_in_time(leave))
        elif (own := self._own(one)) in one.channels:
            one.channels.remove(own)
            _call_when_done(self._subscriber.leave(own), partial(then, None))

    def _leave(self, one: Listening, then: Withdrawn, watermark: int) -> None:
        """Where all is kept it is deaf first.

        Who hears something that was said later than what it has missed to it alone would come back with that, and never
        hear the other.
        """
        own, everything = self._own(one), tuple(one.channels)
        if own not in one.channels:  # it has gone by itself meanwhile
            return
        one.channels.remove(own)
        part = partial(self._part, one, everything, watermark, then)
        if self._departures.keeps_all:
            part = partial(then, self._departures.part(one.place, everything, watermark))
            one.deafen()
        _call_when_done(self._subscriber.leave(own), part)

    def _own(self, one: Listening) -> bytes:
        return self._addresses.client(one.place.tenant, one.place.client)

    def _part(self, one: Listening, everything: tuple[bytes, ...], watermark: int, then: Withdrawn) -> None:
        """Note up to where it has heard everything, unless it has gone by itself: then that is not known any more."""
        part = _once_in_time(
            lambda number: then(self._departures.part(one.place, everything, number) if one.channels else None)
        )
        self._departures.between_batches(everything, partial(part, watermark))

    def give_back(self, owner: Owner, place: Place, channels: list[bytes]) -> None:
        """Release what `take` took."""
        self.let_go(owner, channels)
        channels.clear()
        self._presence.leave(place)

    def let_go(self, owner: Owner, channels: Sequence[bytes]) -> None:
        """Release what `listen` took, without a place."""
        self._subscriber.release(channels)
        self._limits.shares.give_back(owner)

    def _enter(self, place: Place, listens: "asyncio.Future[None]") -> "asyncio.Future[None]":
        """Enter presence now; the future is done when Redis has replied."""
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._presence.enter(place, lambda: None if entered.done() else entered.set_result(None), listens)
        return entered


def _call_when_done(future: "asyncio.Future[None]", call: Callable[[], None]) -> None:
    """Call when the future is done, or in `WITHDRAWAL_SECONDS`."""
    timer = asyncio.get_running_loop().call_later(WITHDRAWAL_SECONDS, future.cancel)

    def go_on(_future: "asyncio.Future[None]") -> None:
        timer.cancel()
        call()

    future.add_done_callback(go_on)


def _once_in_time(call: Callable[[int], None]) -> Callable[[int], None]:
    """A callback that calls once: with what it is called with, or with 0 in `WITHDRAWAL_SECONDS`."""
    calls = [call]

    def go_on(number: int) -> None:
        timer.cancel()
        if calls:
            calls.pop()(number)

    timer = asyncio.get_running_loop().call_later(WITHDRAWAL_SECONDS, go_on, 0)
    return go_on
