"""Scheduler of one process: queued work is done in small pieces, round robin over its holders.

It knows nothing about the work, and reads no socket itself. Work is done at once when it may be done now and nothing is
queued. Otherwise it is queued with its holder. In each turn of the event loop one piece of each holder is done, one
holder after the other, until `turn_seconds` are used up. So a client that floods waits for itself; everybody else waits
for one turn.

Bounded: a piece of work is queued at most once, so there are never more than there are sockets and tenants.
"""

import asyncio
from collections import deque
from time import monotonic, perf_counter, thread_time
from typing import Final

import structlog

from bridge.budget.accounts import MOST_MILLISECONDS_AT_ONCE, Account, Holder, Work

A_READ_SECONDS: Final = 0.000_02
"""Price of noticing that bytes have arrived, however few. The code that handles the bytes cannot measure it."""
A_CONNECTION_SECONDS: Final = 0.000_1
"""Price of accepting a connection and of ending it."""
SHORTEST_SLEEP_SECONDS: Final = 0.002
"""A holder whose account is overdrawn sleeps at least so long before it is looked at again."""
LONGEST_SLEEP_SECONDS: Final = 5.0
"""A holder whose account is overdrawn sleeps at most so long before it is looked at again."""

log = structlog.get_logger(__name__)


class Turns:
    """The queue of one process, and how much of the current turn is used."""

    def __init__(self, turn_seconds: float, everybody: Account) -> None:
        """`turn_seconds` bounds one turn; `everybody` is the account of the whole process."""
        self.turn_seconds = turn_seconds
        self._everybody = everybody
        self._ready: deque[Holder] = deque()
        self._spent_bytes = self._spent_frames = 0
        self._spent_seconds = 0.0
        self._stepped_seconds = 0.0
        self._is_due = False
        self._used_seconds = thread_time()
        self.errors = 0
        self.waited = 0
        """How many pieces of work were queued."""

    def may_go_on(self, holder: Holder) -> bool:
        """Whether this holder's work may be done now, without being queued."""
        return (
            self._spent_seconds < self.turn_seconds
            and not self._ready
            and not holder.has_work
            and not holder.wait_seconds(monotonic())
        )

    def is_free_for(self, holder: Holder) -> bool:
        """The same where it can be said without a look at the clock: nothing is overdrawn."""
        return self._spent_seconds < self.turn_seconds and not self._ready and holder.is_free

    def spent(self, holder: Holder, size_bytes: int, frames: int, seconds: float) -> None:
        """Charge work that was done in this turn to the holder, and at the end of the turn to the whole process."""
        milliseconds = min(seconds * 1_000, MOST_MILLISECONDS_AT_ONCE)
        holder.spend(size_bytes, frames, milliseconds)
        self._spent_bytes += size_bytes
        self._spent_frames += frames
        self._spent_seconds += seconds
        if not self._is_due:
            self._come_again()

    def stepped(self, holder: Holder, seconds: float) -> None:
        """Charge one step of a coroutine that has begun (a request or a handshake)."""
        self._stepped_seconds += seconds
        self.spent(holder, 0, 0, seconds)

    @property
    def may_step(self) -> bool:
        """Whether coroutines may take another step in this turn.

        Steps have `turn_seconds` of their own, so that everything that has begun comes to its end.
        """
        return self._stepped_seconds < self.turn_seconds

    def wait(self, holder: Holder, work: Work, *, is_new: bool = False) -> None:
        """Queue this work. It must not be queued already. Work that has become obsolete by its turn must do nothing.

        `is_new`: it goes before all work of this holder that is not new.
        """
        self.waited += 1
        holder.put(work, is_new=is_new)
        if not holder.is_listed:
            holder.is_listed = True
            self._list(holder)

    async def turn(self, holder: Holder) -> None:
        """Return when one piece of this holder's work may be done. For work that is done in a coroutine."""
        if self.may_go_on(holder):
            return
        waiting = _Waiting()
        self.wait(holder, waiting)
        try:
            await waiting.turn
        finally:
            holder.withdraw(waiting)

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
        ends_at = perf_counter() + self.turn_seconds
        while self._ready and self._spent_seconds < self.turn_seconds and perf_counter() < ends_at:
            self._serve(self._ready.popleft())
        if self._ready:
            self._come_again()

    def _charge_everybody(self) -> None:
        """Charge what was read in the turn, and the processor time of this thread: nothing else covers all of that."""
        used_seconds = thread_time()
        used_milliseconds = (used_seconds - self._used_seconds) * 1_000
        self._everybody.spend(self._spent_bytes, self._spent_frames, used_milliseconds)
        self._spent_bytes = self._spent_frames = 0
        self._used_seconds = used_seconds

    def _serve(self, holder: Holder) -> None:
        """Do one piece of a holder's work; while one of its accounts is overdrawn, let the holder sleep."""
        seconds = holder.wait_seconds(monotonic())
        if seconds:
            seconds = min(max(seconds, SHORTEST_SLEEP_SECONDS), LONGEST_SLEEP_SECONDS)
            asyncio.get_running_loop().call_later(seconds, self._list, holder)
            return
        try:
            if holder.has_work:  # all of its work may have been withdrawn meanwhile
                holder.next().go_on()
        except Exception:
            self.errors += 1
            log.exception("work_failed")
        if holder.has_work:
            self._ready.append(holder)
        else:
            holder.is_listed = False


class _Waiting:
    """A coroutine that waits for its turn."""

    def __init__(self) -> None:
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)
