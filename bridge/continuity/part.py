"""The continuity room, assembled: what lets clients come back without missing anything. No rules."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from prometheus_client.core import Metric

from bridge.broker.history import HistoryOptions
from bridge.broker.message import BusMessage
from bridge.broker.part import Broker
from bridge.broker.subscriber import Subscriber
from bridge.broker.watermarks import Watermarks
from bridge.continuity.departures import Departures
from bridge.continuity.first_words import asked_words, unasked_words
from bridge.continuity.handed_on import HandedOn
from bridge.continuity.missed import MICROSECONDS
from bridge.continuity.ordered_channels import OrderedChannels, Take
from bridge.continuity.path_canary import PathCanary
from bridge.continuity.positions import KINDS, OWN, base_36, cursor_of, time_of
from bridge.continuity.repair import Repair
from bridge.continuity.resumption import NOTHING, Resumed, Resumption
from bridge.continuity.tails import Tails
from bridge.messaging.gaps import gap_message
from bridge.messaging.hub import Renderer
from bridge.messaging.inbound import Inbound
from bridge.records.rows import Language
from bridge.system.metrics import counter, counters
from bridge.system.part import Part, Task
from v3.messages import timestamp

READ_SECONDS: Final = 5.0
"""So long a client that comes back waits for its history; then it is told that it must fetch anew."""
AGAIN_SECONDS: Final = 0.05
TEXTS_IN_MESSAGE: Final = 2
"""What is born on V2 is kept in both languages, and a client is sent one of them."""


class Return:
    """One client that comes back. `cancel` it when its connection is over: it may never have begun."""

    def __init__(self, resumption: Resumption | None, say: Callable[[Resumed, Renderer, str], bytes]) -> None:
        self._resumption = resumption
        self._say = say
        self.undone: Callable[[], None] | None = None
        """Called by `cancel` if the client was not told what it missed."""

    def first_words(self, renderer: Renderer, group: str) -> bytes:
        """The first bytes for it. It must join its listeners in the same turn of the event loop."""
        self.undone = None
        return self._say(self.end(), renderer, group)

    def end(self) -> Resumed:
        """What it missed, in place of `first_words`."""
        return NOTHING if self._resumption is None else self._resumption.end()

    def cancel(self) -> None:
        """It does not come back after all, or has been here; harmless when repeated."""
        undone, self.undone = self.undone, None
        if undone is not None:
            undone()
        if self._resumption is not None:
            self._resumption.cancel()


class Continuity(Part):
    """What is kept of what was said, for those who come back to one process."""

    def __init__(self, broker: Broker, inbound: Inbound, options: HistoryOptions, most_bytes: int) -> None:
        """`most_bytes`: how much a client may be sent at once when it comes back."""
        self._seconds: Final = options.seconds
        self.is_kept: Final = bool(options.seconds)
        """Whether there is a history."""
        self.now: Final[Callable[[], str]] = broker.now
        self._microseconds = inbound.microseconds
        self.most_bytes = most_bytes
        self._hub: Final = inbound.hub
        self.watermarks: Final = Watermarks(broker.bus, broker.subscriber, broker.addresses)
        intake, hub = broker.subscriber.intake, inbound.hub
        self.handed_on: Final = HandedOn(self.watermarks, intake.arrivals, inbound.deliveries, hub, broker.addresses)
        self.departures: Final = Departures(broker.bus, broker.addresses, self.handed_on, options)
        redis, message = (broker.bus, broker.addresses), broker.subscriber.message
        self.tails: Final = Tails(*redis, hub, message, options.messages, TEXTS_IN_MESSAGE * most_bytes)
        broker.subscriber.lost.add(self.tails.lose)
        broker.subscriber.renumbered.add(self.tails.lose)
        broker.subscriber.ended.add(self.tails.end)
        broker.subscriber.outage.missing.add(self.tails.end)
        inbound.deliveries.leaving_out.add(self.tails.end)
        say_gap, seconds = inbound.say_gap_on, options.seconds
        self.repair: Final = Repair(*redis, intake, self.watermarks, message, say_gap, seconds)
        if broker.history is not None:
            broker.history.begun.add(self.repair.begun)
            self._repair_links_of(broker.subscriber)
        self.canary: Final = _canary(broker, inbound)
        self.resumed: Final = {"complete": 0, "incomplete": 0}

    def _repair_links_of(self, subscriber: Subscriber) -> None:
        subscriber.outage.repair = self.repair
        subscriber.confirmed.add(self.repair.look_soon)
        subscriber.renumbered.add(self.repair.renumbered)
        subscriber.outage.whole.add(self.repair.look)

    async def resume(self, since: str, channels: Sequence[bytes], language: Language) -> Return:
        """Read what a client has missed since a cursor, or since the `sent_at` that a V3 client names."""
        say = self._asked_words if language == "v3" else self._unasked_words
        return await self._return(since, dict(zip(KINDS, channels, strict=False)), say)

    async def welcome(self, number: int, own: bytes) -> Return:
        """Read what was said to an expected client alone, after this number, on its own channel."""
        returning = await self._return(f"@{KINDS[OWN]}.{base_36(number)}", {KINDS[OWN]: own}, self._unasked_words)
        returning.undone = partial(self.departures.expect_again, own, number)
        return returning

    async def resume_in_order(self, since: str, channels: Sequence[bytes]) -> Return:
        """Read what somebody has missed on these channels, who has one position on all of them. See `missed`."""
        return await self._return(since, {channel.decode(): channel for channel in channels}, self._asked_words)

    def missed(self, returning: Return) -> Sequence[BusMessage] | None:
        """What somebody who returns (`resume_in_order`) has missed; `None` if it is not proven, or too much to be sent.

        It must join its listeners in the same turn of the event loop.
        """
        resumed = returning.end()
        is_little = sum(len(message.line) for message in resumed.messages) <= self.most_bytes
        is_whole = resumed.is_complete and is_little
        self._count(is_whole=is_whole)
        return resumed.messages if is_whole else None

    def gap_since(self, cursor: str) -> BusMessage:
        """What tells somebody that it may have missed something: since 1970 where its position is not known."""
        now = self.now()
        return gap_message(min(time_of(cursor) or timestamp(0), now), now)

    def in_order(self, channels: Sequence[bytes], hear: Take) -> OrderedChannels:
        """These channels, heard in one order."""
        return OrderedChannels(channels, self._hub, self.handed_on, hear)

    async def _return(
        self, since: str, channels: Mapping[str, bytes], say: Callable[[Resumed, Renderer, str], bytes]
    ) -> Return:
        if not self._seconds:
            return Return(None, say)
        try:
            async with asyncio.timeout(READ_SECONDS):
                return Return(await self._read(since, channels), say)
        except TimeoutError:
            return Return(None, say)

    async def _read(self, since: str, channels: Mapping[str, bytes]) -> Resumption:
        """Read what a client has missed; again if the link to Redis is lost meanwhile."""
        while True:
            resumption = Resumption(since, channels, self.tails, self.handed_on.ask, self._seconds)
            try:
                if await resumption.wait():
                    return resumption
            except BaseException:
                resumption.cancel()
                raise
            resumption.cancel()
            await asyncio.sleep(AGAIN_SECONDS)

    def _asked_words(self, resumed: Resumed, renderer: Renderer, group: str) -> bytes:
        is_whole, blob = asked_words(resumed, renderer, group, self.now(), self.most_bytes)
        self._count(is_whole=is_whole)
        return blob

    def _unasked_words(self, resumed: Resumed, renderer: Renderer, _group: str) -> bytes:
        is_whole, blob = unasked_words(resumed, renderer, self._earliest(), self.now(), self.most_bytes)
        self._count(is_whole=is_whole)
        return blob

    def _count(self, *, is_whole: bool) -> None:
        self.resumed["complete" if is_whole else "incomplete"] += 1

    def _earliest(self) -> str:
        """The time since which histories may have something."""
        return timestamp(self._microseconds() - self._seconds * MICROSECONDS)

    def cursor(self, channels: Sequence[bytes], answer: Callable[[str | None], None]) -> None:
        """Call `answer` with the cursor of a connection that listens on these channels; `None` if there is none."""
        if not self._seconds:
            answer(None)
            return

        def reached(number: int) -> None:
            answer(cursor_of(self.handed_on.numbers(channels, number)) if number else None)

        self.handed_on.ask(channels, reached)

    def tasks(self) -> Iterable[Task]:
        return (self.canary, self.repair) if self._seconds else (self.canary,)

    def metrics(self) -> Iterable[Metric]:
        yield from self.canary.metrics()
        yield counters("bridge_resumed", "Clients that came back, and were told so.", ("outcome",), self.resumed)
        yield counter("bridge_histories_read", "Histories of channels read from Redis.", self.tails.read)


def _canary(broker: Broker, inbound: Inbound) -> PathCanary:
    hearing = broker.subscriber, inbound.hub, broker.addresses
    return PathCanary(broker.publish, *hearing, broker.process, inbound.microseconds)
