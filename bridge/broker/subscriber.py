"""The subscribing connection to Redis: receives messages, and keeps the wanted channels subscribed.

It survives every error. After each reconnect all wanted channels are subscribed again; a subscription counts only when
Redis has confirmed it. The messages of one read are handed over channel by channel. It never publishes anything.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog
from redis.asyncio.connection import ConnectionPool

from bridge.broker.channels import Channels
from bridge.broker.incoming import Incoming
from bridge.broker.link import Keeper, Replies, pack
from bridge.broker.message import BusMessage

PING_SECONDS: Final = 1.0
"""Pause between two PINGs."""
SILENCE_SECONDS: Final = 4.0
"""A link without any reply for so long after a PING is ended."""
GRACE_SECONDS: Final = 0.05
"""Before a link is ended, replies that have arrived unread get so long to be read."""
_PING: Final = pack("PING")

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
    ) -> None:
        """`gap` gets for how many seconds messages may have been missed, once all channels are subscribed again.

        `arrived_at` and `max_bytes`: see `Incoming`.
        """
        self._keeper = Keeper(links, self._replied, "subscriber")
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._gap = gap
        self._incoming = Incoming(arrived_at, max_bytes)
        self._channels = Channels(lambda: self._loop.call_soon(self._send))
        self._heard_at = self._loop.time()
        self._asked_at: float | None = None
        self._missed_since: float | None = None
        self.gaps = 0
        self.expect: Final[Callable[[bytes, BusMessage], None]] = self._incoming.recent.keep
        """Called with what this process publishes now: when these bytes arrive, they need not be parsed."""
        self.release: Final[Callable[[Iterable[bytes]], None]] = self._channels.release
        """Takes back one `hold`; the last one unsubscribes."""
        self.leave: Final[Callable[[bytes], asyncio.Future[None]]] = self._channels.leave
        """Takes back one `hold` of one channel; the future is done when nothing of it arrives here any more."""

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

    def _opened(self) -> None:
        self._heard_at, self._asked_at = self._loop.time(), None
        self._channels.renew()
        self._announce_if_whole()

    def _lost(self) -> None:
        if self._missed_since is None:
            self._missed_since = self._heard_at
        self._channels.lose()

    def _replied(self, replies: Replies) -> None:
        self._heard_at, self._asked_at = self._loop.time(), None
        for channel, batch in self._incoming.read(replies, self._heed).items():
            try:
                self._deliver(channel, batch)
            except Exception:
                self.rejected["undeliverable"] += len(batch)
                log.exception("batch_undeliverable", channel=channel.decode(errors="replace"))

    def _heed(self, reply: object) -> None:
        """Handle replies that are not messages: confirmations, pongs, and errors."""
        if isinstance(reply, Exception):
            log.error("subscription_refused", reason=str(reply))
            self._keeper.end_link()
        elif isinstance(reply, list) and reply[0] == b"subscribe":
            self._channels.confirm(reply[1])
            self._announce_if_whole()
        elif isinstance(reply, list) and reply[0] == b"unsubscribe":
            self._channels.left(reply[1])

    def _announce_if_whole(self) -> None:
        if self._missed_since is None or not self._channels.are_confirmed:
            return
        silence = self._loop.time() - self._missed_since
        self._missed_since = None
        self.gaps += 1
        self._gap(silence)

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
            link.write(_PING)
        elif self._is_silent():
            # If this process itself stood still, the answer may have arrived unread: read it before judging.
            await asyncio.sleep(GRACE_SECONDS)
            if link is self._keeper.link and self._is_silent():
                self._keeper.end_link()

    def _is_silent(self) -> bool:
        return self._asked_at is not None and self._loop.time() - self._asked_at > SILENCE_SECONDS
