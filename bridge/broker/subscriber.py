"""The way from Redis: a pump that survives everything, and the channels that this process must hear.

The wanted channels are kept here, and all of them are subscribed again after every reconnect; a subscription that Redis
did not confirm is not one. What came in one read is checked once per message, grouped by channel in order, and handed
on. It never puts anything on the bus.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import structlog
from redis.asyncio.connection import ConnectionPool

from bridge.broker.link import Keeper, Replies, pack
from bridge.broker.message import BusMessage, read
from bridge.broker.recent import Recent
from v3.messages import Unreadable

CHANNELS_PER_COMMAND: Final = 500
PING_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 4.0
GRACE_SECONDS: Final = 0.05
_PING: Final = pack("PING")

log = structlog.get_logger(__name__)

Deliver = Callable[[bytes, Sequence[BusMessage]], None]


class Subscriber:
    """The listening side of this process."""

    def __init__(
        self,
        links: ConnectionPool,
        deliver: Deliver,
        gap: Callable[[float], None],
        arrived_at: Callable[[], str],
        max_bytes: int,
    ) -> None:
        """`gap` gets for how many seconds the bus was not heard, once it is heard again.

        `arrived_at` gives a `sent_at` to what another service published without; `max_bytes` bounds a bus message.
        """
        self._keeper = Keeper(links, self._replied, "subscriber")
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._gap = gap
        self._arrived_at = arrived_at
        self._max_bytes = max_bytes
        self._holders: Counter[bytes] = Counter()
        self._confirmed: set[bytes] = set()
        self._outstanding: Counter[bytes] = Counter()
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._unsent: list[tuple[str, bytes]] = []
        self._heard_at = self._loop.time()
        self._asked_at: float | None = None
        self._missed_since: float | None = None
        self._previous: tuple[bytes, BusMessage] | None = None
        self._recent = Recent()
        self.received = 0
        self.rejected: Counter[str] = Counter()
        self.gaps = 0

    async def run(self) -> None:
        """Keep the link open, and watch that it speaks. Ends by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keeper.run(self._opened, self._lost))
            tasks.create_task(self._watch())

    @property
    def is_up(self) -> bool:
        """Whether everything that is wanted is heard."""
        return self._keeper.link is not None and self._missed_since is None

    @property
    def reconnects(self) -> int:
        """How often the link was lost."""
        return self._keeper.reconnects

    @property
    def channels(self) -> int:
        """How many channels are wanted."""
        return len(self._holders)

    async def hold(self, channels: Iterable[bytes]) -> None:
        """Hear these channels from the moment that this returns; each `hold` needs its `release`."""
        unconfirmed = []
        for channel in channels:
            self._holders[channel] += 1
            if self._holders[channel] == 1:
                self._order("SUBSCRIBE", channel)
            if channel not in self._confirmed:
                unconfirmed.append(self._confirmation(channel))
        if unconfirmed:
            await asyncio.gather(*unconfirmed)

    def expect(self, data: bytes, message: BusMessage) -> None:
        """What this process says now: should it hear these bytes, it need not read them."""
        self._recent.keep(data, message)

    def release(self, channels: Iterable[bytes]) -> None:
        """Take back one `hold`; the last one unsubscribes."""
        for channel in channels:
            self._holders[channel] -= 1
            if self._holders[channel] <= 0:
                del self._holders[channel]
                self._confirmed.discard(channel)
                self._waiting.pop(channel, None)
                self._order("UNSUBSCRIBE", channel)

    def _confirmation(self, channel: bytes) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.setdefault(channel, []).append(future)
        return future

    def _order(self, command: str, channel: bytes) -> None:
        if self._keeper.link is None:
            return
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append((command, channel))
        if command == "SUBSCRIBE":
            self._outstanding[channel] += 1

    def _flush(self) -> None:
        orders, self._unsent = self._unsent, []
        link = self._keeper.link
        if link is None:
            return
        start = 0
        for end in range(1, len(orders) + 1):
            command = orders[start][0]
            if end == len(orders) or orders[end][0] != command or end - start == CHANNELS_PER_COMMAND:
                link.write(pack(command, *(channel for _, channel in orders[start:end])))
                start = end

    def _opened(self) -> None:
        self._heard_at, self._asked_at = self._loop.time(), None
        for channel in self._holders:
            self._order("SUBSCRIBE", channel)
        self._announce_if_whole()

    def _lost(self) -> None:
        if self._missed_since is None:
            self._missed_since = self._heard_at
        self._confirmed.clear()
        self._outstanding.clear()
        self._unsent.clear()

    def _replied(self, replies: Replies) -> None:
        self._heard_at, self._asked_at = self._loop.time(), None
        batches: dict[bytes, list[BusMessage]] = {}
        for reply in replies:
            if isinstance(reply, list) and reply[0] == b"message":
                message = self._checked(reply[2])
                if message is not None:
                    batches.setdefault(reply[1], []).append(message)
            else:
                self._heed(reply)
        for channel, batch in batches.items():
            try:
                self._deliver(channel, batch)
            except Exception:
                self.rejected["undeliverable"] += len(batch)
                log.exception("batch_undeliverable", channel=channel.decode(errors="replace"))

    def _checked(self, data: bytes) -> BusMessage | None:
        self.received += 1
        if self._previous is not None and self._previous[0] == data:
            return self._previous[1]  # spoken on a second channel right after the first
        if len(data) > self._max_bytes:
            self.rejected["too_big"] += 1
            return None
        try:
            message = self._recent.find(data) or read(data, self._arrived_at)
        except Unreadable as unreadable:
            self.rejected[unreadable.code] += 1
            return None
        self._previous = (data, message)
        return message

    def _heed(self, reply: Any) -> None:
        """Confirmations, pongs, and what Redis refuses."""
        if isinstance(reply, Exception):
            log.error("subscription_refused", reason=str(reply))
            self._end()
        elif reply[0] == b"subscribe":
            self._confirm(reply[1])

    def _confirm(self, channel: bytes) -> None:
        self._outstanding[channel] -= 1
        if self._outstanding[channel] > 0:
            return  # an earlier confirmation: an UNSUBSCRIBE and another SUBSCRIBE are still on their way
        del self._outstanding[channel]
        if channel in self._holders:
            self._confirmed.add(channel)
        for future in self._waiting.pop(channel, ()):
            if not future.done():
                future.set_result(None)
        self._announce_if_whole()

    def _announce_if_whole(self) -> None:
        if self._missed_since is None or len(self._confirmed) < len(self._holders):
            return
        silence = self._loop.time() - self._missed_since
        self._missed_since = None
        self.gaps += 1
        self._gap(silence)

    async def _watch(self) -> None:
        """A link that says nothing, not even to a PING, is ended: Redis is frozen, or the network swallows."""
        while True:
            due_at = self._loop.time() + PING_SECONDS
            await asyncio.sleep(PING_SECONDS)
            self._recent.turn()
            if self._asked_at is not None:
                self._asked_at += max(0.0, self._loop.time() - due_at)  # this process was late, and not Redis
            link = self._keeper.link
            if link is None:
                continue
            if self._asked_at is None:
                self._asked_at = self._loop.time()
                link.write(_PING)
            elif self._is_silent():
                # After a stall of our own the answer may lie unread: read it before judging.
                await asyncio.sleep(GRACE_SECONDS)
                if link is self._keeper.link and self._is_silent():
                    self._end()

    def _is_silent(self) -> bool:
        return self._asked_at is not None and self._loop.time() - self._asked_at > SILENCE_SECONDS

    def _end(self) -> None:
        if self._keeper.link is not None:
            self._keeper.link.end()
