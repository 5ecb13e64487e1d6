"""The resources of a connection: a share of this process, its Redis channels, and its entry in presence.

All are taken before the handshake is accepted, and all are released when the connection is over. If taking one of them
fails, those already taken are released.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place, Presence
from bridge.broker.subscriber import Subscriber
from bridge.budget.shares import Owner, Shares
from bridge.messaging.routing import listens_on
from bridge.records.rows import Language

SUBSCRIPTION_SECONDS: Final = 3.0
WITHDRAWAL_SECONDS: Final = 0.25
"""How long a client that is sent away waits for Redis, so that what is said to it is delivered or refused."""


class Unavailable(Exception):
    """A client cannot be served now. `code`: one of the closed list of refusals. `sentence`: the reason, for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code: Final = code
        self.sentence: Final = sentence


class Subscriptions:
    """Takes and releases the resources of connections, for one process."""

    def __init__(self, shares: Shares, subscriber: Subscriber, presence: Presence, addresses: Addresses) -> None:
        self._shares = shares
        self._subscriber = subscriber
        self._presence = presence
        self._addresses = addresses

    async def take(self, owner: Owner, place: Place, language: Language) -> list[bytes]:
        """Take the resources of one connection, and return its channels.

        Returns when Redis has confirmed the subscriptions and stored the presence entry. Raises `Unavailable`:
        `overloaded` when the owner's share is used up, `bus_down` when Redis does not answer in `SUBSCRIPTION_SECONDS`.
        """
        if not self._shares.has_room_for(owner):
            raise Unavailable("overloaded", "Your tenant, key or address holds its share of this process.")
        self._shares.take(owner)
        try:
            channels = listens_on(language, place.tenant, place.group, place.client, self._addresses)
            await self._subscribe(channels, place)
        except BaseException as error:
            self._shares.give_back(owner)
            if isinstance(error, TimeoutError):
                raise Unavailable("bus_down", "Redis did not answer in time; connect again in a moment.") from None
            raise
        return channels

    async def _subscribe(self, channels: list[bytes], place: Place) -> None:
        has_entered = False
        try:
            async with asyncio.timeout(SUBSCRIPTION_SECONDS):
                await self._subscriber.hold(channels)
                has_entered = True
                await self._enter(place)
        except BaseException:
            self._subscriber.release(channels)
            if has_entered:
                self._presence.leave(place)
            raise

    def withdraw(self, place: Place, channels: list[bytes], then: Callable[[], None]) -> None:
        """Unsubscribe from what is said to this client alone, then call `then`: it is about to be sent away.

        What is said to it before has been delivered by then; what is said later is refused as `not_connected`.
        `channels`, which `give_back` will get, is shortened.
        """
        own = self._addresses.client(place.tenant, place.client)
        channels.remove(own)
        left = self._subscriber.leave(own)
        timer = asyncio.get_running_loop().call_later(WITHDRAWAL_SECONDS, left.cancel)

        def go_on(_left: "asyncio.Future[None]") -> None:
            timer.cancel()
            then()

        left.add_done_callback(go_on)

    def give_back(self, owner: Owner, place: Place, channels: list[bytes]) -> None:
        """Release what `take` took."""
        self._subscriber.release(channels)
        self._presence.leave(place)
        self._shares.give_back(owner)

    async def _enter(self, place: Place) -> None:
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._presence.enter(place, lambda: None if entered.done() else entered.set_result(None))
        await entered
