"""The subscribing connection to Redis: receives messages, and keeps the wanted channels subscribed.

It survives every error. After each reconnect all wanted channels are subscribed again; a subscription counts only when
Redis has confirmed it. The messages of one read are handed over channel by channel. It never publishes anything.

What may have been missed is announced once, when everything is heard again: from the last moment of which it is certain
that all was heard. Redis answers in order, so that is when the last answered PING was asked.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from secrets import token_hex
from typing import Final

import structlog
from redis.asyncio.connection import ConnectionPool

from bridge.broker.channels import Channels
from bridge.broker.incoming import Incoming
from bridge.broker.link import Keeper, Replies, pack
from bridge.broker.message import BusMessage
from bridge.system.observers import Observers

PING_SECONDS: Final = 1.0
"""Pause between two PINGs."""
SILENCE_SECONDS: Final = 4.0
"""A link without any reply for so long after a PING is ended."""
GRACE_SECONDS: Final = 0.05
"""Before a link is ended, replies that have arrived unread get so long to be read."""
CANARY_NAME_BYTES: Final = 8

log = structlog.get_logger(__name__)

Deliver = Callable[[bytes, Sequence[BusMessage]], None]


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
    ) -> None:
        """`gap` gets for how many seconds messages may have been missed, once all channels are subscribed again.

        `arrived_at` and `max_bytes`: see `Incoming`. `probe` begins the name of the canary's channel; without it there
        is none.
        """
        self._keeper = Keeper(links, self._replied, "subscriber")
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._gap = gap
        self._incoming = Incoming(arrived_at, max_bytes)
        self._channels = Channels(lambda: self._loop.call_soon(self._send))
        self._probe = probe
        self._wanted_canary = b""
        self._certain_until = self._loop.time()
        self._unanswered_pings = 0
        self._asked_at: float | None = None
        self._missed_since: float | None = None
        self.gaps = 0
        self.canary: bytes | None = None
        """The channel on which nobody listens but the link that is open now; `None` until Redis has confirmed it."""
        self.listens: Final = Observers[[]]()
        """Called when the canary's channel is confirmed on a new link."""
        self.is_trusted: Callable[[], bool] = lambda: True
        """Whether this link leads to the right server. While it does not, nothing counts as heard."""
        self.trouble: str | None = None
        """What Redis said instead of an answer to the last PING. The link lives: an error is an answer."""
        self.expect: Final[Callable[[bytes, BusMessage], None]] = self._incoming.recent.keep
        """Called with what this process publishes now: when these bytes arrive, they need not be parsed."""
        self.release: Final[Callable[[Iterable[bytes]], None]] = self._channels.release
        """Takes back one `hold`; the last one unsubscribes."""

    async def run(self) -> None:
        """Keep the link open, and check that Redis answers on it. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keeper.run(self._opened, self._lost))
            tasks.create_task(self._watch())

    @property
    def is_up(self) -> bool:
        """Whether there is a link, and every wanted channel is subscribed."""
        return self._keeper.link is not None and self._missed_since is None

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
    def rejected(self) -> Counter[str]:
        """Reason -> how many of them were not delivered."""
        return self._incoming.rejected

    async def hold(self, channels: Iterable[bytes]) -> None:
        """Subscribe to these channels; returns when Redis has confirmed all. Each `hold` needs its `release`."""
        unconfirmed = self._channels.hold(channels)
        if unconfirmed:
            await asyncio.gather(*unconfirmed)

    def _send(self) -> None:
        """Write the pending commands. Without a link they are dropped: the next link subscribes to all channels."""
        commands, link = self._channels.take_commands(), self._keeper.link
        if link is not None:
            for command in commands:
                link.write(command)

    def doubt(self, since: float) -> None:
        """Messages may be missed since then, by the time of the event loop. Announced when `is_trusted`, not before."""
        self._missed_since = since if self._missed_since is None else min(self._missed_since, since)

    def leave(self) -> None:
        """End the link, which does not lead where it should; another is made by the name of the server."""
        self._keeper.end_link()

    def announce_if_whole(self) -> None:
        """Announce what may have been missed, if there is something, and everything is heard again."""
        if self._missed_since is None or not self._is_whole():
            return
        silence = self._loop.time() - self._missed_since
        self._missed_since = None
        self.gaps += 1
        self._gap(silence)

    def _is_whole(self) -> bool:
        return self._keeper.link is not None and self._channels.are_confirmed and self.is_trusted()

    def _opened(self) -> None:
        self._certain_until, self._asked_at, self._unanswered_pings = self._loop.time(), None, 0
        self._channels.renew()
        if self._probe and self._keeper.link is not None:
            self._wanted_canary = b"%b:%b" % (self._probe, token_hex(CANARY_NAME_BYTES).encode())
            self._keeper.link.write(pack("SUBSCRIBE", self._wanted_canary))
        self.announce_if_whole()

    def _lost(self) -> None:
        self.doubt(self._certain_until)
        self.canary = None
        self._channels.lose()

    def _replied(self, replies: Replies) -> None:
        self._asked_at = None
        for channel, batch in self._incoming.read(replies, self._heed).items():
            try:
                self._deliver(channel, batch)
            except Exception:
                self.rejected["undeliverable"] += len(batch)
                log.exception("batch_undeliverable", channel=channel.decode(errors="replace"))

    def _heed(self, reply: object) -> None:
        """Handle replies that are not messages: confirmations, answers to PING, and errors."""
        if isinstance(reply, list) and reply[0] == b"subscribe":
            self._confirmed(reply[1])
        elif isinstance(reply, Exception):
            self._answered(str(reply))
        elif isinstance(reply, bytes) or (isinstance(reply, list) and reply[0] == b"pong"):
            self._answered(None)
            self._certain_until = float(reply if isinstance(reply, bytes) else reply[1])

    def _answered(self, trouble: str | None) -> None:
        """A PING was answered, perhaps with an error. An answer too many means that a subscription was refused."""
        if self._unanswered_pings:
            self._unanswered_pings -= 1
            self.trouble = trouble
        else:
            log.error("subscription_refused", reason=trouble)
            self._keeper.end_link()

    def _confirmed(self, channel: bytes) -> None:
        if channel == self._wanted_canary:
            self.canary = channel
            self.listens()
        else:
            self._channels.confirm(channel)
        self.announce_if_whole()

    async def _watch(self) -> None:
        """Check every `PING_SECONDS`; end a link that does not even answer a PING.

        Redis is then frozen, or the network drops packets.
        """
        while True:
            due_at = self._loop.time() + PING_SECONDS
            await asyncio.sleep(PING_SECONDS)
            self._incoming.recent.turn()
            if self._asked_at is not None:
                self._asked_at += max(0.0, self._loop.time() - due_at)  # this process was late, not Redis
            await self._ask_or_judge()

    async def _ask_or_judge(self) -> None:
        link = self._keeper.link
        if link is None:
            return
        if self._asked_at is None:
            self._asked_at = self._loop.time()
            self._unanswered_pings += 1
            link.write(pack("PING", repr(self._asked_at)))
        elif self._is_silent():
            # If this process itself stood still, the answer may have arrived unread: read it before judging.
            await asyncio.sleep(GRACE_SECONDS)
            if link is self._keeper.link and self._is_silent():
                self._keeper.end_link()

    def _is_silent(self) -> bool:
        return self._asked_at is not None and self._loop.time() - self._asked_at > SILENCE_SECONDS
