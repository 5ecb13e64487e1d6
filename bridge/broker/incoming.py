"""What comes from the bus, checked once per message, and grouped by channel in order. It hands nothing on.

What is too large is not read at all; what is no message is counted, and left out.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from bridge.broker.link import Replies
from bridge.broker.message import BusMessage, read
from bridge.broker.recent import Recent
from v3.messages import Unreadable

Batches = Mapping[bytes, list[BusMessage]]
"""Channel -> its messages, in the order in which Redis sent them."""


class Incoming:
    """The messages of one subscriber."""

    def __init__(self, arrived_at: Callable[[], str], max_bytes: int) -> None:
        """`arrived_at` gives a `sent_at` to what another service published without; `max_bytes` bounds a message."""
        self._arrived_at = arrived_at
        self._max_bytes = max_bytes
        self._previous: tuple[bytes, BusMessage] | None = None
        self.recent: Final = Recent()
        """What this process said a moment ago: it need not be read when it comes back."""
        self.received = 0
        self.rejected: Final[Counter[str]] = Counter()
        """Reason -> messages that were not delivered."""

    def read(self, replies: Replies, other: Callable[[object], None]) -> Batches:
        """The messages among what Redis says; `other` gets each reply that is none."""
        batches: dict[bytes, list[BusMessage]] = {}
        for reply in replies:
            if isinstance(reply, list) and reply[0] == b"message":
                message = self._checked(reply[2])
                if message is not None:
                    batches.setdefault(reply[1], []).append(message)
            else:
                other(reply)
        return batches

    def _checked(self, data: bytes) -> BusMessage | None:
        self.received += 1
        if self._previous is not None and self._previous[0] == data:
            return self._previous[1]  # spoken on a second channel right after the first
        if len(data) > self._max_bytes:
            self.rejected["too_big"] += 1
            return None
        try:
            message = self.recent.find(data) or read(data, self._arrived_at)
        except Unreadable as unreadable:
            self.rejected[unreadable.code] += 1
            return None
        self._previous = (data, message)
        return message
