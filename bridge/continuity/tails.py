"""The tails of channels: what was said there lately, read once from Redis and kept up with while anybody needs it.

All who come back at the same time share the tail of a channel, so Redis reads a history once for all of them. Whoever
gets a tail when everything that it was read with has also been handed to the channel's listeners, and joins those in
the same turn of the event loop, hears each message once.

Bounded: a tail that nobody uses is dropped after `LINGER_SECONDS`, or at once when all tails hold more than
`MOST_BYTES`. One that grows beyond its bound forgets its oldest messages, like the history itself. Of a history no more
is read than a client can be sent, and few are read at a time; the next ones wait. For what Redis answers comes by the
link on which messages are said: whoever comes back to long histories must not hold up what others say.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.history import READ, keys_to_read
from bridge.broker.message import BusMessage
from bridge.continuity.missed import Kept
from bridge.messaging.hub import Hub
from v3.messages import Unreadable

LINGER_SECONDS: Final = 5.0
MOST_BYTES: Final = 67_108_864
MOST_READ_TOGETHER: Final = 8


class Tail:
    """The tail of one channel. `is_over` is done when it was read, or could not be."""

    def __init__(self, most_messages: int) -> None:
        self._most = most_messages
        self.is_over: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self.users = 0
        self.size_bytes = 0
        self.kept: Kept | None = None
        self._messages: deque[tuple[int, BusMessage]] = deque()
        self._whole_since = 0

    def read(self, kept: Kept) -> None:
        """It was read. What was said meanwhile and is in it is not there twice."""
        since = [one for one in self._messages if one[0] > kept.read_at]
        self._messages = deque([*kept.messages, *since])
        removed = self._whole_since if self._whole_since > kept.read_at else 0
        self._whole_since, self.kept = max(kept.whole_since, removed), kept
        self.size_bytes = sum(message.size_bytes for _, message in self._messages)
        self.finish()

    def fail(self) -> None:
        """It cannot be read, or is no longer kept up with."""
        self.kept = None
        self.finish()

    def finish(self) -> None:
        if not self.is_over.done():
            self.is_over.set_result(None)

    def add(self, batch: Sequence[BusMessage]) -> None:
        """This batch is being handed to the channel's listeners."""
        read_at = 0 if self.kept is None else self.kept.read_at
        for message in batch:
            if message.number > read_at:
                self._messages.append((message.number, message))
                self.size_bytes += message.size_bytes
        while len(self._messages) > self._most:
            self._whole_since, removed = self._messages.popleft()
            self.size_bytes -= removed.size_bytes

    def now(self, watermark: int) -> Kept | None:
        """The history as it is now; `None` if it could not be read. `watermark`: up to there everything is here."""
        kept = self.kept
        if kept is None:
            return None
        read_at = max(kept.read_at, watermark, self._messages[-1][0] if self._messages else 0)
        return Kept(read_at, self._whole_since, kept.unkept, kept.begin, list(self._messages))


class Tails:
    """The tails of one process."""

    read = 0
    """How many histories were read."""
    _being_read = 0

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        hub: Hub,
        message: Callable[[bytes], BusMessage],
        most_messages: int,
        most_bytes: int,
    ) -> None:
        """`message` makes the message of what was kept (`Incoming.message`). `most_bytes`: read of one history."""
        self._bus = bus
        self._addresses = addresses
        self._hub = hub
        self._message = message
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._tails: dict[bytes, Tail] = {}
        self._unread: deque[tuple[bytes, Tail]] = deque()

    def take(self, channel: bytes) -> Tail:
        """The tail of a channel that is subscribed. Each `take` needs its `give_back`."""
        tail = self._tails.get(channel)
        if tail is None:
            tail = self._tails[channel] = Tail(2 * self._most_messages)
            self._hub.follow(channel, tail.add)
            self._unread.append((channel, tail))
            self._read_next()
        tail.users += 1
        return tail

    def give_back(self, channel: bytes, tail: Tail) -> None:
        """Nobody of the caller's uses it any more."""
        tail.users -= 1
        if not tail.users:
            is_much = sum(one.size_bytes for one in self._tails.values()) > MOST_BYTES
            asyncio.get_running_loop().call_later(0 if is_much else LINGER_SECONDS, self._drop_if_unused, channel, tail)

    def end(self, channel: bytes) -> None:
        """What is said on a channel does not all come here any more."""
        for name in (channel, *self._hub.parts_of(channel)):
            if name in self._tails:
                self._fail(name, self._tails[name])

    def lose(self) -> None:
        """The subscriber has lost its link: no tail is kept up with any more."""
        for channel, tail in list(self._tails.items()):
            self._fail(channel, tail)

    def _read_next(self) -> None:
        while self._unread and self._being_read < MOST_READ_TOGETHER:
            channel, tail = self._unread.popleft()
            if self._tails.get(channel) is tail:
                self._begin(channel, tail)

    def _begin(self, channel: bytes, tail: Tail) -> None:
        self.read += 1
        self._being_read += 1
        keys = keys_to_read(self._addresses, channel)
        READ.run(self._bus, keys, [0, self._most_bytes], lambda reply: self._was_read(channel, tail, reply))

    def _was_read(self, channel: bytes, tail: Tail, reply: object) -> None:
        self._being_read -= 1
        if not isinstance(reply, list):
            self._fail(channel, tail)
        elif self._tails.get(channel) is tail:
            tail.read(kept_in(reply, self._message))
        self._read_next()

    def _fail(self, channel: bytes, tail: Tail) -> None:
        self._drop(channel, tail)
        tail.fail()

    def _drop_if_unused(self, channel: bytes, tail: Tail) -> None:
        if not tail.users:
            self._drop(channel, tail)

    def _drop(self, channel: bytes, tail: Tail) -> None:
        if self._tails.get(channel) is tail:
            del self._tails[channel]
            self._hub.unfollow(channel)


def kept_in(reply: Sequence[Any], message: Callable[[bytes], BusMessage]) -> Kept:
    """The history in a reply of `history_read.lua`. What is no message there is counted, and left out."""
    read_at, whole_since, unkept, begin = map(int, reply[:4])
    messages = []
    for identity, fields in reply[4]:
        number = int(identity.partition(b"-")[0])
        try:
            one = message(b"%d\n%b" % (number, fields[1]))
        except Unreadable:
            unreadable.skip("history")
            continue
        messages.append((number, one))
    return Kept(read_at, whole_since, unkept, begin, messages)
