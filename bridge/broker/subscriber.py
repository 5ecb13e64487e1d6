"""The subscribing connection to Redis: receives messages, and keeps the wanted channels subscribed.

It survives every error. After each reconnect all wanted channels are subscribed again; a subscription counts only when
Redis has confirmed it. The messages of one read are handed over channel by channel. It never publishes anything.

What may have been missed is announced once, when everything is heard again: from the last moment of which it is certain
that all was heard. Redis answers in order, so that is when the last answered PING was asked.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from redis.asyncio.connection import ConnectionPool

from bridge.broker.addresses import said_on
from bridge.broker.batches import of_one_kind
from bridge.broker.channels import Channels
from bridge.broker.incoming import Incoming
from bridge.broker.intake import Deliver, Intake
from bridge.broker.link import Keeper, Replies
from bridge.broker.message import BusMessage
from bridge.broker.notices import Notices
from bridge.broker.outage import Outage
from bridge.broker.pings import Pings
from bridge.system.observers import Observers

PING_SECONDS: Final = 1.0
"""Pause between two PINGs."""
SILENCE_SECONDS: Final = 4.0
"""A link without any reply for so long after a PING is ended."""
GRACE_SECONDS: Final = 0.05
"""Before a link is ended, replies that have arrived unread get so long to be read."""

log = structlog.get_logger(__name__)


class Subscriber:
    """The subscribing side of this process."""

    def __init__(
        self,
        links: ConnectionPool,
        deliver: Deliver,
        gap: Callable[[float], None],
        arrived_at: Callable[[], str],
        max_bytes: int,
        probe: bytes = b"",
        kind_of: Callable[[bytes], bytes] = of_one_kind,
    ) -> None:
        """`gap` gets for how many seconds messages may have been missed, once all channels are subscribed again.

        `arrived_at`, `max_bytes` and `kind_of`: see `Incoming`; `probe`: see `Notices`.
        """
        self._keeper = Keeper(links, self._replied, "subscriber")
        self._loop = asyncio.get_running_loop()
        self._channels = Channels(lambda: self._loop.call_soon(self._send))
        self.wants: Final = self._channels.are_wanted
        self._pings = Pings(self._loop.time())
        self.notices: Final = Notices(probe)
        self._incoming = Incoming(arrived_at, max_bytes, self.notices.read, kind_of)
        self.intake: Final = Intake(deliver, self._incoming.rejected)
        self.outage: Final = Outage(self.intake, self._is_linked, gap)
        self.lost: Final = Observers[[]]()
        """Called when the link is lost."""
        self.renumbered: Final = self._incoming.renumbered
        self.renumbered.add(self.intake.arrivals.forget)
        self.ended: Final = Observers[[bytes]]()
        """Called with a channel that is not wanted any more."""
        self.confirmed: Final = Observers[[]]()
        """Called when Redis has confirmed a channel."""
        self.message: Final[Callable[[bytes], BusMessage]] = self._incoming.message
        """Makes the message of bytes as they are on the bus. Raises `Unreadable`."""
        self.expect: Final[Callable[[bytes, BusMessage], None]] = self._incoming.recent.keep
        """Called with what this process publishes now: when these bytes arrive, they need not be parsed."""

    async def run(self) -> None:
        """Keep the link open, and check that Redis answers on it. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keeper.run(self._opened, self._lost))
            tasks.create_task(self._watch())

    def bound(self, max_bytes: int) -> None:
        """Take messages of at most so many bytes from now on."""
        self._incoming.max_bytes = max_bytes

    @property
    def is_up(self) -> bool:
        """Whether there is a link, and every wanted channel is subscribed."""
        return self._keeper.link is not None and self.outage.is_over

    @property
    def trouble(self) -> str | None:
        """What Redis said when it refused the last link, a subscription or the last PING, if it did."""
        return self._keeper.refusal or self._pings.trouble

    @property
    def reconnects(self) -> int:
        """How often the link was lost."""
        return self._keeper.reconnects

    @property
    def channels(self) -> int:
        """How many channels are wanted."""
        return len(self._channels)

    @property
    def received(self) -> int:
        """How many messages Redis sent."""
        return self._incoming.received

    @property
    def gaps(self) -> int:
        """How often it was announced that messages may have been missed."""
        return self.outage.gaps

    @property
    def rejected(self) -> Counter[str]:
        """Reason -> how many of them were not delivered."""
        return self._incoming.rejected

    async def hold(self, channels: Iterable[bytes]) -> None:
        """Subscribe to these channels; returns when Redis has confirmed all. Each `hold` needs its `release`."""
        unconfirmed = self._channels.hold(map(said_on, channels))
        if unconfirmed:
            await asyncio.gather(*unconfirmed)

    def release(self, channels: Iterable[bytes]) -> None:
        """Take back one `hold` of each channel; the last one unsubscribes."""
        channels = tuple(map(said_on, channels))
        self._channels.release(channels)
        for channel in channels:
            self._end_if_unwanted(channel)

    def leave(self, channel: bytes) -> "asyncio.Future[None]":
        """Take back one `hold` of one channel; the future is done when nothing of it arrives here any more."""
        left = self._channels.leave(channel)
        self._end_if_unwanted(channel)
        return left

    def _end_if_unwanted(self, channel: bytes) -> None:
        if channel not in self._channels:
            self.intake.arrivals.end(channel)
            self.ended(channel)

    def _send(self) -> None:
        """Write the pending commands. Without a link they are dropped: the next link subscribes to all channels."""
        commands, link = self._channels.take_commands(), self._keeper.link
        if link is not None:
            for command in commands:
                link.write(command)

    def end_link(self) -> None:
        """End the link, which does not lead where it should; another is made by the name of the server."""
        self._keeper.end_link()

    def _is_linked(self) -> bool:
        return self._keeper.link is not None and self._channels.are_confirmed

    def _opened(self) -> None:
        self._pings.begin(self._loop.time())
        self._channels.renew()
        self._send()
        if self._keeper.link is not None:  # last: who is seen to listen hears all that is said to its clients
            self._keeper.link.write(self.notices.begin())
        self.outage.opened()
        self.outage.end_if_whole()

    def _lost(self) -> None:
        self.outage.lost(self._pings.certain_until)
        self.notices.canary = None
        self._channels.lose()
        self.lost()

    def _replied(self, replies: Replies) -> None:
        self._pings.heard()
        for channel, batch in self._incoming.read(replies, self._heed):
            self.intake.take(channel, batch)
        self.notices.tell_marks()

    def _heed(self, reply: object) -> None:
        """Handle replies that are not messages: confirmations, answers to PING, and errors."""
        if isinstance(reply, Exception):
            self._answered(None, str(reply))
        elif not isinstance(reply, list):
            self._answered(reply, None)  # while nothing is subscribed
        elif reply[0] == b"pong":
            self._answered(reply[1], None)
        elif reply[0] == b"subscribe":
            if not self.notices.confirm(reply[1]):
                self._confirm(reply[1])
            self.outage.end_if_whole()
        elif reply[0] == b"unsubscribe":
            self._channels.left(reply[1])

    def _confirm(self, channel: bytes) -> None:
        self._channels.confirm(channel)
        if channel in self._channels:
            self.intake.arrivals.begin(channel)
            self.confirmed()

    def _answered(self, asked_at: object, trouble: str | None) -> None:
        """A PING was answered, perhaps with an error. An answer too many means that a subscription was refused."""
        if not self._pings.answered(asked_at if isinstance(asked_at, bytes) else None, trouble):
            log.error("subscription_refused", reason=trouble)
            self._keeper.end_link(trouble)

    async def _watch(self) -> None:
        """Check every `PING_SECONDS`; end a link that does not even answer a PING.

        Redis is then frozen, or the network drops packets.
        """
        while True:
            due_at = self._loop.time() + PING_SECONDS
            await asyncio.sleep(PING_SECONDS)
            self._incoming.recent.turn()
            self._pings.forgive(self._loop.time() - due_at)
            await self._ask_or_judge()

    async def _ask_or_judge(self) -> None:
        link = self._keeper.link
        if link is None:
            return
        if not self._pings.is_asked:
            link.write(self._pings.ask(self._loop.time()))
        elif self._is_silent():
            # If this process itself stood still, the answer may have arrived unread: read it before judging.
            await asyncio.sleep(GRACE_SECONDS)
            if link is self._keeper.link and self._is_silent():
                self._keeper.end_link()

    def _is_silent(self) -> bool:
        return self._pings.are_silent(self._loop.time(), SILENCE_SECONDS)
