"""Validates the messages that arrive from the bus, each once, and groups them by channel, in order (`batches.py`).

It delivers nothing. A message that is too large is not parsed; each invalid message is counted, by reason, and dropped.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from bridge.broker.batches import Batch, Batches, of_one_kind
from bridge.broker.link import Replies
from bridge.broker.message import BusMessage, numbered, read
from bridge.broker.recent_messages import RecentMessages
from bridge.system.observers import Observers
from v3.messages import Unreadable


def _never(_channel: bytes, _data: bytes) -> bool:
    return False


class Incoming:
    """The messages that one subscriber receives."""

    def __init__(
        self,
        arrived_at: Callable[[], str],
        max_bytes: int,
        is_notice: Callable[[bytes, bytes], bool] = _never,
        kind_of: Callable[[bytes], bytes] = of_one_kind,
    ) -> None:
        """`arrived_at` returns the `sent_at` for messages that other services published without one.

        `is_notice` takes what is no message, with its channel. `kind_of`: see `Addresses.kind_of`.
        """
        self._arrived_at = arrived_at
        self.max_bytes = max_bytes
        self._is_notice = is_notice
        self._kind_of = kind_of
        self._previous: tuple[bytes, BusMessage] | None = None
        self._number = 0
        self.renumbered: Final = Observers[[]]()
        """Called when a message has a lower number than one before it: Redis has lost its data, and begins anew."""
        self.recent: Final = RecentMessages()
        """Messages that this process has just published: they need not be parsed when they arrive."""
        self.received = 0
        self.rejected: Final[Counter[str]] = Counter()
        """Reason -> how many messages were dropped."""

    def read(self, replies: Replies, other: Callable[[object], None]) -> list[Batch]:
        """The messages among the replies; `other` is called with each reply that is not a message."""
        batches = Batches(self._kind_of)
        for reply in replies:
            if isinstance(reply, list) and reply[0] == b"message":
                message = self._checked(reply[1], reply[2])
                if message is not None:
                    batches.add(reply[1], message)
            else:
                other(reply)
        return batches.all

    def _checked(self, channel: bytes, data: bytes) -> BusMessage | None:
        self.received += 1
        previous = self._previous
        if previous is not None and previous[0] == data:
            return previous[1]  # published on a second channel right after the first
        try:
            message = self.message(data)
        except Unreadable as unreadable:
            if self._is_notice(channel, data):
                self.received -= 1
            else:
                self.rejected[unreadable.code] += 1
            return None
        self._previous = (data, message)
        if 0 < message.number < self._number:
            self.renumbered()
        self._number = message.number or self._number
        return message

    def message(self, data: bytes) -> BusMessage:
        """One message as it is on the bus. Raises `Unreadable`."""
        number, data = numbered(data)
        if len(data) > self.max_bytes:
            raise Unreadable("too_big")
        message = self.recent.find(data)
        if message is None or message.number not in (0, number):
            message = read(data, self._arrived_at)
        message.number = number
        return message
