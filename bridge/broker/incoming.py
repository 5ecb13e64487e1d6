"""Validates the messages that arrive from the bus, each once, and groups them by channel, in order.

It delivers nothing. A message that is too large is not parsed; each invalid message is counted, by reason, and dropped.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from bridge.broker.link import Replies
from bridge.broker.message import BusMessage, read
from bridge.broker.recent_messages import RecentMessages
from v3.messages import Unreadable

Batches = Mapping[bytes, list[BusMessage]]
"""Channel -> its messages, in the order in which Redis sent them."""


def _never(_channel: bytes, _data: bytes) -> bool:
    return False


class Incoming:
    """The messages that one subscriber receives."""

    def __init__(
        self, arrived_at: Callable[[], str], max_bytes: int, is_notice: Callable[[bytes, bytes], bool] = _never
    ) -> None:
        """`arrived_at` returns the `sent_at` for messages that other services published without one.

        `max_bytes` bounds one message as it is on the bus. `is_notice` is asked, with its channel, about what is no
        message: it takes the notices of processes.
        """
        self._arrived_at = arrived_at
        self.max_bytes = max_bytes
        self._is_notice = is_notice
        self._previous: tuple[bytes, BusMessage] | None = None
        self.recent: Final = RecentMessages()
        """Messages that this process has just published: they need not be parsed when they arrive."""
        self.received = 0
        self.rejected: Final[Counter[str]] = Counter()
        """Reason -> how many messages were dropped."""

    def read(self, replies: Replies, other: Callable[[object], None]) -> Batches:
        """The messages among the replies; `other` is called with each reply that is not a message."""
        batches: dict[bytes, list[BusMessage]] = {}
        for reply in replies:
            if isinstance(reply, list) and reply[0] == b"message":
                message = self._checked(reply[1], reply[2])
                if message is not None:
                    batches.setdefault(reply[1], []).append(message)
            else:
                other(reply)
        return batches

    def _checked(self, channel: bytes, data: bytes) -> BusMessage | None:
        self.received += 1
        if self._previous is not None and self._previous[0] == data:
            return self._previous[1]  # published on a second channel right after the first
        if len(data) > self.max_bytes:
            self.rejected["too_big"] += 1
            return None
        try:
            message = self.recent.find(data) or read(data, self._arrived_at)
        except Unreadable as unreadable:
            if self._is_notice(channel, data):
                self.received -= 1
            else:
                self.rejected[unreadable.code] += 1
            return None
        self._previous = (data, message)
        return message
