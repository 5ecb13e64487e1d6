"""Whose turn it is: work that waits is done a little at a time, fairly by holder, and never for long in one go.

It decides nothing about the work, and reads no socket by itself. Whatever is ready at once and finds nobody waiting is
done at once; else it queues behind others of its holder, and each turn of the loop takes one piece from each holder
after another, until `turn_seconds` are spent. So one who floods waits for itself, and everybody else for a turn.

Bounded: a piece of work waits in one place at most, and so there are never more than there are sockets and tenants.
"""

import asyncio
from collections import deque
from time import monotonic, perf_counter, thread_time
from typing import Final

import structlog

from bridge.budget.accounts import MOST_MILLISECONDS_AT_ONCE, Account, Holder, Work

A_READ_SECONDS: Final = 0.000_02
"""What it takes to learn that something has come, however little that is; not measured by whoever is handed it."""
A_CONNECTION_SECONDS: Final = 0.000_1
"""What it takes to accept one, and to end it."""
SHORTEST_SLEEP_SECONDS: Final = 0.002
LONGEST_SLEEP_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Turns:
    """The work of one process that waits, and how much of this turn is spent."""

    def __init__(self, turn_seconds: float, everybody: Account) -> None:
        """`everybody` is the account of the whole process."""
        self._turn_seconds = turn_seconds
        self._everybody = everybody
        self._ready: deque[Holder] = deque()
        self._spent_seconds = 0.0
        self._stepped_seconds = 0.0
        self._is_due = False
        self._used_seconds = thread_time()
        self.errors = 0
        self.waited = 0
        """Pieces of work that had to wait."""

    def may_go_on(self, holder: Holder) -> bool:
        """Whether this holder's work may be done now, without waiting."""
        return (
            self._spent_seconds < self._turn_seconds
            and not self._ready
            and not holder.has_work
            and not holder.wait_seconds(monotonic())
        )

    def spent(self, holder: Holder, size_bytes: int, frames: int, seconds: float) -> None:
        """So much was spent in this turn, on a holder's account and everybody's."""
        milliseconds = min(seconds * 1_000, MOST_MILLISECONDS_AT_ONCE)
        holder.spend(size_bytes, frames, milliseconds)
        self._everybody.spend(size_bytes, frames, 0)  # and its time by the processor's own clock
        self._spent_seconds += seconds
        self._come_again()

    def stepped(self, holder: Holder, seconds: float) -> None:
        """So much was spent on a step of something that was begun."""
        self._stepped_seconds += seconds
        self.spent(holder, 0, 0, seconds)

    @property
    def may_step(self) -> bool:
        """Whether steps have any of this turn left: a turn's time of their own, so that all come to an end."""
        return self._stepped_seconds < self._turn_seconds

    def wait(self, holder: Holder, work: Work, *, is_new: bool = False) -> None:
        """Do this work when its turn comes. It must not wait already; work that is over by then does nothing.

        `is_new`: of a holder's work, what comes before all that is not.
        """
        self.waited += 1
        holder.put(work, is_new=is_new)
        if not holder.is_listed:
            holder.is_listed = True
            self._list(holder)

    def _list(self, holder: Holder) -> None:
        self._ready.append(holder)
        self._come_again()

    def _come_again(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_due, self._spent_seconds, self._stepped_seconds = False, 0.0, 0.0
        self._charge_everybody()
        ends_at = perf_counter() + self._turn_seconds
        while self._ready and self._spent_seconds < self._turn_seconds and perf_counter() < ends_at:
            self._serve(self._ready.popleft())
        if self._ready:
            self._come_again()

    def _charge_everybody(self) -> None:
        """What this thread has really used since the last turn, of which nobody measures all."""
        used_seconds = thread_time()
        self._everybody.spend(0, 0, (used_seconds - self._used_seconds) * 1_000)
        self._used_seconds = used_seconds

    def _serve(self, holder: Holder) -> None:
        """One piece of a holder's work; or none, while one of its accounts is overdrawn."""
        seconds = holder.wait_seconds(monotonic())
        if seconds:
            seconds = min(max(seconds, SHORTEST_SLEEP_SECONDS), LONGEST_SLEEP_SECONDS)
            asyncio.get_running_loop().call_later(seconds, self._list, holder)
            return
        try:
            if holder.has_work:  # it may all have been withdrawn meanwhile
                holder.next().go_on()
        except Exception:
            self.errors += 1
            log.exception("work_failed")
        if holder.has_work:
            self._ready.append(holder)
        else:
            holder.is_listed = False
