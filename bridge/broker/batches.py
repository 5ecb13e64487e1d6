"""Puts messages together by channel, as far as the order between channels allows. Pure.

Messages that have a number are handed on in the order of their numbers to whoever listens on several channels: of a
group, a client, a tenant, everybody. So the last message that a client has heard tells what it has missed on all of
them. A batch is therefore only of messages between which nothing was said on a channel of another kind. The wide
channels of V2 are left out of this: who listens there has a position for each of its channels.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from bridge.broker.message import BusMessage

Batch = tuple[bytes, list[BusMessage]]
"""A channel, and messages said there, in the order in which Redis sent them."""
KindOf = Callable[[bytes], bytes]
"""The kind of a channel: see `Addresses.kind_of`."""
WIDE: Final = b"v"
Put = TypeVar("Put")


def of_one_kind(_channel: bytes) -> bytes:
    """For `kind_of` where messages have no numbers: all that is said on one channel is put together."""
    return b""


class OpenBatches(Generic[Put]):
    """To which batch the next message of a channel may be added. What a batch is, its user decides."""

    __slots__ = ("_kind", "_kind_of", "_of_kind", "_wide")

    def __init__(self, kind_of: KindOf) -> None:
        self._kind_of = kind_of
        self._kind = b""
        self._of_kind: dict[bytes, Put] = {}
        self._wide: dict[bytes, Put] = {}

    def of(self, channel: bytes) -> Put | None:
        """The batch to which the next message of this channel may be added; `None`: another must begin."""
        return self._of_kind.get(channel) or self._wide.get(channel)

    def begin(self, channel: bytes, batch: Put) -> None:
        """Begin a batch. Those of channels of other kinds are not added to any more."""
        kind = self._kind_of(channel)
        if kind == WIDE:
            self._wide[channel] = batch
            return
        if kind != self._kind:
            self._kind, self._of_kind = kind, {}
        self._of_kind[channel] = batch

    def end(self, channel: bytes, batch: Put) -> None:
        """Add nothing more to this batch."""
        for batches in (self._of_kind, self._wide):
            if batches.get(channel) is batch:
                del batches[channel]

    def end_all(self) -> None:
        """Add nothing more to any batch that has begun."""
        self._of_kind.clear()
        self._wide.clear()


class Batches(OpenBatches[list[BusMessage]]):
    """The batches of what has arrived together."""

    __slots__ = ("all",)

    def __init__(self, kind_of: KindOf) -> None:
        super().__init__(kind_of)
        self.all: Final[list[Batch]] = []

    def add(self, channel: bytes, message: BusMessage) -> None:
        """Add the next message."""
        batch = self.of(channel)
        if batch is None:
            batch = []
            self.begin(channel, batch)
            self.all.append((channel, batch))
        batch.append(message)
