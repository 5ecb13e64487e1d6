"""Finds out whether this process speaks and listens at one Redis server, and whether that is the one of its address.

A failover may leave one link at the old server while the other one, or another process, is at the new one. Each side
then works by itself and they do not hear each other. So the bus publishes a canary, on a channel on which only the
subscriber's present link listens: that server is the same if it counts a listener. Each second the same is asked over a
new connection, made by the address: if another server takes writes there, this process follows.

When the servers differ both links end, and others are made by the address. What was said since they last agreed may be
lost: the subscriber announces it, once, when they agree again. The other processes are told too (`Moves`), since what
this one said meanwhile did not reach them. This module decides nothing about messages.
"""

import asyncio
from typing import Final, cast

import structlog
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import RedisError, ResponseError

from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.link import CONNECT_SECONDS, end_if_cancelled, give_up, open_connection
from bridge.broker.moves import Missed, Moves
from bridge.broker.notices import CANARY
from bridge.broker.refusal import LinkError
from bridge.broker.subscriber import Subscriber
from bridge.broker.trial import refusal_of_write

BY_ADDRESS_SECONDS: Final = 1.0
"""Pause between two looks at where the address leads."""
AGAIN_SECONDS: Final = 0.2
"""Pause before a second look, when the canary had no listeners."""
FLAPPING_SECONDS: Final = 10.0
"""Refusals with less between them are one: it is over when there was none for `STEADY_SECONDS`."""
STEADY_SECONDS: Final = 3.0
ELSEWHERE: Final = "its links, or its address, lead to different Redis servers"

log = structlog.get_logger(__name__)


class SameServer:
    """Compares where the links of one process lead. The bus sets the pace: each time that Redis took its write."""

    def __init__(self, links: ConnectionPool, bus: Bus, subscriber: Subscriber, probe: bytes) -> None:
        self._links = links
        self._bus = bus
        self._subscriber = subscriber
        self._notices = subscriber.notices
        self._probe = probe
        self._now = asyncio.get_running_loop().time
        self._agreed: bytes | None = None
        self._unheard: bytes | None = None
        self._certain_until = self._by_address_until = self._now()
        self._trouble: str | None = None
        self._refused_at = self._now() - FLAPPING_SECONDS
        self._steady_from = self._now()
        self.parted = 0
        """How often the servers differed."""
        self._moves = Moves(bus, probe, self._now)
        self._attend(bus, subscriber)

    def _attend(self, bus: Bus, subscriber: Subscriber) -> None:
        bus.back.add(self._forget)
        bus.taken.add(self._compare)
        bus.refused.add(self._refused)
        subscriber.outage.is_trusted = self._do_agree
        self._notices.listens.add(self._compare)

    async def run(self) -> None:
        """Look at where the address leads, and who has moved here, every `BY_ADDRESS_SECONDS`, until cancelled."""
        while True:
            await asyncio.sleep(BY_ADDRESS_SECONDS)
            canary = self._notices.canary
            if canary is not None and self._do_agree():
                self._moves.ask(self._certain_since(), self._others_moved)
                await self._look_by_address(canary)

    def _do_agree(self) -> bool:
        return self._bus.is_up and self._agreed is not None and self._agreed == self._notices.canary

    def _forget(self) -> None:
        """The bus has a new link: nothing is known of where it leads."""
        self._agreed = None

    def _refused(self) -> None:
        now = self._now()
        self._steady_from = now + STEADY_SECONDS if now - self._refused_at < FLAPPING_SECONDS else now
        self._refused_at = now
        self._doubt()

    def _doubt(self) -> None:
        self._agreed = None
        self._subscriber.outage.doubt(self._certain_since())

    def _compare(self, asked_at: float | None = None) -> None:
        canary, at = self._notices.canary, self._now() if asked_at is None else asked_at
        if canary is not None:
            self._bus.command(pack("PUBLISH", canary, CANARY), lambda reply: self._counted(canary, reply, at))

    def _counted(self, canary: bytes, reply: object, asked_at: float) -> None:
        if not isinstance(reply, int) or canary != self._notices.canary:
            return
        if reply:
            self._agree(canary, asked_at)
        elif self._unheard == canary:
            self._part()
        else:  # the server may just have ended the subscriber's link: that is told in a moment
            self._unheard = canary

    def _agree(self, canary: bytes, asked_at: float) -> None:
        self._unheard = None
        if self._now() < self._steady_from:
            return
        if self._agreed == canary:
            self._certain_until = asked_at
        else:
            self._moves.ask(self._certain_since(), lambda missed: self._arrived(canary, asked_at, missed))

    def _certain_since(self) -> float:
        return min(self._certain_until, self._by_address_until)

    def _arrived(self, canary: bytes, asked_at: float, missed: Missed) -> None:
        """What the processes noted at this server is known: now all is heard here."""
        for since, _ in missed:
            self._subscriber.outage.doubt(since)
        if canary == self._notices.canary:
            self._agreed, self._certain_until, self._by_address_until = canary, asked_at, asked_at
            self._subscriber.outage.end_if_whole()

    def _others_moved(self, missed: Missed) -> None:
        """Others spoke elsewhere: who listens here may have missed what they said."""
        for since, until in missed:
            if not self._subscriber.outage.has_announced(since, until):
                self._subscriber.outage.doubt(since)
        self._subscriber.outage.end_if_whole()

    def _part(self) -> None:
        """The servers differ: make both links anew, by the address."""
        log.warning("redis_servers_differ", reason=ELSEWHERE)
        self.parted += 1
        self._moves.leave()
        self._doubt()
        self._bus.leave(ELSEWHERE)
        self._subscriber.end_link()

    async def _look_by_address(self, canary: bytes) -> None:
        """Ask over a new connection whether it leads to the server at which the subscriber listens.

        An address at which nobody takes writes, or nobody at all answers, is no better than the links that work.
        """
        asked_at = self._now()
        heard_by = await self._heard_by_address(canary)
        if heard_by == 0:
            await asyncio.sleep(AGAIN_SECONDS)  # the server may just have ended the subscriber's link
            heard_by = await self._heard_by_address(canary) if canary == self._notices.canary else None
        if heard_by is None or canary != self._notices.canary or not self._do_agree():
            return
        if heard_by:
            self._by_address_until = asked_at
        else:
            self._part()

    async def _heard_by_address(self, canary: bytes) -> int | None:
        """How many listeners the canary has where the address leads; `None` if no write is taken there."""
        try:
            connection = await open_connection(self._links)
        except LinkError as error:
            self._log_once(str(error))
            return None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                write = await _reply(connection, "ZADD", self._probe, "XX", 0, "")
                heard_by = await _reply(connection, "PUBLISH", canary, CANARY)
        except (RedisError, OSError, TimeoutError):
            return None
        finally:
            await give_up(connection)
            end_if_cancelled()
        self._log_once(refusal_of_write(write))
        return heard_by if isinstance(heard_by, int) and refusal_of_write(write) is None else None

    def _log_once(self, trouble: str | None) -> None:
        """Log why the address does not help, once: as long as the links live, nobody else notices."""
        if trouble is not None and trouble != self._trouble:
            log.warning("redis_address_refuses", reason=trouble)
        self._trouble = trouble


async def _reply(connection: AbstractConnection, *command: bytes | str | int) -> object:
    """The reply to a command; an error of Redis is returned too."""
    await connection.send_command(*command)
    try:
        return cast(object, await connection.read_response())
    except ResponseError as error:
        return error
