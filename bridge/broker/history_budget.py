"""Bounds what the histories that this process writes take in Redis, in all and for one tenant. Pure, and an estimate.

It knows how many messages of which size this process has kept on each channel lately. Redis forgets the oldest of a
channel when there are too many, and a whole history when nothing was said there for a while; so does this, no sooner.
What another process keeps on the same channels counts there.

What is not kept is noted for each channel, and that takes room too: so of a tenant `MOST_NOTED` channels are noted by
themselves, and then the tenant as a whole.
"""

from collections import Counter, OrderedDict, deque
from typing import Final

HISTORY_BYTES: Final = 4_700
"""What a history of one message takes, beside the message: Redis reserves room for more of them."""
MESSAGE_BYTES: Final = 48
"""What Redis takes for a message beside its text."""
BLOCK: Final = 100
"""Redis removes old messages at most so many at a time: so many more than wanted may be there."""
MOST_NOTED: Final = 10_000
"""About 1.4 MB in Redis as names go, 20 MB where they are as long as they may be."""


class _History:
    """What this process has kept on one channel: the sizes of blocks of messages, the oldest first.

    `at`: when it kept the last message, in seconds.
    """

    __slots__ = ("_blocks", "_newest", "at", "size_bytes", "tenant")

    def __init__(self, tenant: str) -> None:
        self.tenant: Final = tenant
        self.size_bytes = HISTORY_BYTES
        self.at = 0.0
        self._blocks: deque[int] = deque()
        self._newest = BLOCK
        """How many messages are in the newest block."""

    def add(self, size_bytes: int, most_messages: int) -> int:
        """Count one message. Returns the size of those that are certainly removed: there are so many without them."""
        if self._newest == BLOCK:
            self._blocks.append(0)
            self._newest = 0
        self._blocks[-1] += size_bytes
        self._newest += 1
        are_enough = (len(self._blocks) - 2) * BLOCK + self._newest >= most_messages
        removed = self._blocks.popleft() if are_enough else 0
        self.size_bytes += size_bytes - removed
        return removed


class HistoryBudget:
    """The estimate of one process."""

    def __init__(self, most_bytes: int, most_messages: int, seconds: float) -> None:
        """`most_messages` of a channel are kept, for `seconds`."""
        self._most_bytes = most_bytes
        self._most_messages: Final = most_messages + BLOCK
        self._seconds = seconds
        self._histories: OrderedDict[bytes, _History] = OrderedDict()  # by the time of their last message
        self._of_tenant: Counter[str] = Counter()
        self._noted: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        """Channel -> its tenant, and when it was noted last; by that time."""
        self._noted_of: Counter[str] = Counter()
        self.has_several_tenants = False
        """Whether one tenant may take no more than half."""
        self.size_bytes = 0
        self.not_kept = 0
        """How many messages found no room."""

    def __len__(self) -> int:
        """How many channels this process has kept something on lately."""
        return len(self._histories)

    def may_keep(self, channel: bytes, tenant: str, size_bytes: int, now: float) -> bool:
        """Whether a message may be kept. It is counted either way."""
        history = self._histories.get(channel)
        size_bytes += MESSAGE_BYTES
        added = size_bytes if history is not None else size_bytes + HISTORY_BYTES
        if not self._has_room(tenant, added):
            self.not_kept += 1
            return False
        if history is None:
            history = self._histories[channel] = _History(tenant)
        elif history.at != now:
            self._histories.move_to_end(channel)
        history.at = now
        added -= history.add(size_bytes, self._most_messages)
        self.size_bytes += added
        self._of_tenant[tenant] += added
        return True

    def may_note(self, channel: bytes, tenant: str, now: float) -> bool:
        """Whether what is not kept on a channel may be noted there; else it is noted of the whole tenant."""
        self._forget_notes(now)
        if channel not in self._noted:
            if self._noted_of[tenant] >= MOST_NOTED:
                return False
            self._noted_of[tenant] += 1
        self._noted[channel] = tenant, now
        self._noted.move_to_end(channel)
        return True

    def _has_room(self, tenant: str, added: int) -> bool:
        share = self._most_bytes // 2 if self.has_several_tenants else self._most_bytes
        return self.size_bytes + added <= self._most_bytes and self._of_tenant[tenant] + added <= share

    def _forget_notes(self, now: float) -> None:
        while self._noted:
            channel, (tenant, at) = next(iter(self._noted.items()))
            if at + self._seconds >= now:
                return
            del self._noted[channel]
            self._noted_of[tenant] -= 1
            if not self._noted_of[tenant]:
                del self._noted_of[tenant]

    def forget(self, now: float) -> None:
        """Forget what has expired in Redis. Its owner calls this before it asks whether something may be kept."""
        while self._histories:
            channel, history = next(iter(self._histories.items()))
            if history.at + self._seconds >= now:
                return
            del self._histories[channel]
            self.size_bytes -= history.size_bytes
            self._of_tenant[history.tenant] -= history.size_bytes
            if not self._of_tenant[history.tenant]:
                del self._of_tenant[history.tenant]
