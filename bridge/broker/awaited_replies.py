"""Who waits for the replies of Redis on one link: one callback for each reply, in the order of the commands.

It sends nothing, and never decides what becomes of a link. A callback that raises is counted and logged: the others
must get their replies. Bounded by its owner, who sends no command when too many replies are awaited.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog

Done = Callable[[Any], None]

log = structlog.get_logger(__name__)


class _Raw:
    """The callback of a command that wants to know Redis's error, too."""

    __slots__ = ("done",)

    def __init__(self, done: Done) -> None:
        self.done = done

    def __call__(self, reply: object) -> None:
        self.done(reply)


class _Sum:
    """Takes the replies to a message that was published on several channels, and hands on their sum."""

    __slots__ = ("_done", "_remaining", "_sum")

    def __init__(self, channels: int, done: Done) -> None:
        self._remaining = channels
        self._done = done
        self._sum: int | None = 0

    @property
    def is_whole(self) -> bool:
        """Whether no reply has been missing so far."""
        return self._sum is not None

    def __call__(self, reply: int | None) -> None:
        self._remaining -= 1
        self._sum = None if reply is None or self._sum is None else self._sum + reply
        if not self._remaining:
            self._done(self._sum)


class AwaitedReplies:
    """The replies that one bus awaits."""

    def __init__(self) -> None:
        self._waiting: deque[Done] = deque()
        self._taken = 0
        """How many replies have come on this link."""
        self._sent: deque[tuple[int, float]] = deque()
        """How many there are once all is answered that was sent until then, and until when it must be."""
        self.failed = 0
        """How many publishes got `None`."""
        self.errors = 0
        """How many callbacks raised an exception."""

    def __len__(self) -> int:
        return len(self._waiting)

    def await_one(self, done: Done) -> None:
        """The next reply is for `done`: the reply as it is, an error as an exception; `None` if there is none."""
        self._waiting.append(_Raw(done))

    def await_sum(self, replies: int, done: Done) -> None:
        """The sum of the next replies is for `done`; `None` if one of them is an error, or does not come."""
        self._waiting.extend((done,) if replies == 1 else (_Sum(replies, done),) * replies)

    def sent(self, deadline: float) -> None:
        """Everything that is awaited now has been sent, and must be answered by then."""
        self._sent.append((self._taken + len(self._waiting), deadline))

    def are_overdue(self, now: float) -> bool:
        """Whether a reply should have come by now."""
        return bool(self._sent) and self._sent[0][1] < now

    def take(self, replies: Sequence[object]) -> bool:
        """Hand these replies to those who wait for them; returns false at one for which nobody waits."""
        waiting = self._waiting
        for reply in replies:
            if not waiting:
                return False
            done = waiting.popleft()
            self._taken += 1
            if isinstance(reply, Exception) and type(done) is not _Raw:
                self.fail(done)
            else:
                self.answer(done, reply)
        while self._sent and self._sent[0][0] <= self._taken:
            self._sent.popleft()
        return True

    def lose(self) -> None:
        """The link is lost: nothing that is awaited comes any more."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._sent.clear()
        self._taken = 0
        for done in waiting:
            if type(done) is _Raw:
                self.answer(done, None)
            else:
                self.fail(done)

    def fail(self, done: Done) -> None:
        """Answer that a message was not published on a channel, or may not have been."""
        self.failed += type(done) is not _Sum or done.is_whole
        self.answer(done, None)

    def answer(self, done: Done, reply: object) -> None:
        """Call a callback."""
        try:
            done(reply)
        except Exception:
            self.errors += 1
            log.exception("receipt_failed")
