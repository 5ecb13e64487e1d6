"""When a socket is read: a slice at a time, as its budget and the turn of the loop allow. It judges no frame.

What must wait, waits with reading paused, behind others of its holder; or, where the connection's own account is
overdrawn, until that is paid back. Who stays overdrawn on end is refused what it says, unread, and at last ended.
"""

import asyncio
from time import monotonic, perf_counter
from typing import Final, Protocol

from bridge.budget.accounts import Holder, Patience
from bridge.budget.budget import Budget
from bridge.budget.turns import A_READ_SECONDS
from bridge.sockets.framing import Extent
from bridge.sockets.unread import Unread

SLICE_FRAMES: Final = 32
SLICE_BYTES: Final = 65_536


class Source(Protocol):
    """A socket, as its reader knows it."""

    @property
    def may_read(self) -> bool:
        """Whether somebody takes what is read."""

    def read(self, buffer: bytes, where: Extent) -> None:
        """One whole frame."""

    def refuse_unread(self, buffer: bytes, where: Extent) -> None:
        """One whole frame of who has been over its budget for a while."""

    def end_flood(self) -> None:
        """It has been over its budget for too long."""

    def stop_reading(self) -> None:
        """Let the peer wait; harmless when repeated."""

    def start_reading(self) -> None:
        """Take what comes; harmless when repeated."""


class _Nobody:
    """Stands for a socket of which nothing more is read."""

    may_read = False

    def read(self, buffer: bytes, where: Extent) -> None: ...

    def refuse_unread(self, buffer: bytes, where: Extent) -> None: ...

    def end_flood(self) -> None: ...

    def stop_reading(self) -> None: ...

    def start_reading(self) -> None: ...


_NOBODY: Final = _Nobody()


class Reader:
    """What one socket has sent, and who pays for reading it."""

    def __init__(self, source: Source, budget: Budget, holder: Holder) -> None:
        """`holder` pays beside the connection's own account; it may be another once it is known who that is."""
        self.holder = holder
        self.unread: Final = Unread()
        self._source: Source = source
        self._turns = budget.turns
        self._over = budget.over
        self._account = budget.connection()
        self._patience = Patience()
        self._is_waiting = self._is_over = False

    def add(self, data: bytes) -> None:
        """What has just come. A part of a frame costs a read, too, and is paid for before the next."""
        self.unread.add(data)
        if self.unread.may_hold_a_frame or self._is_over:
            return self.look()
        self._spend(0, 0, A_READ_SECONDS)
        if not self._is_waiting and self._must_wait():
            self._wait()
        return None

    def end(self) -> None:
        """Nothing more is read, and nothing is kept: neither bytes nor the socket, which keeps its reader."""
        self._is_over = True
        self.holder.withdraw(self)
        self._source = _NOBODY
        self.unread.take_all()

    def look(self) -> None:
        """Read what there is, now or when its turn comes; or stop the socket until it may be read."""
        while not self._is_waiting and not self._is_over:
            if not self._source.may_read:
                return self._source.stop_reading()
            if not self.unread.may_hold_a_frame:
                return self._source.start_reading()
            if self._must_wait():
                return self._wait()
            self._read_some()
        return None

    def go_on(self) -> None:
        """Its turn has come."""
        self._is_waiting = False
        if not self._is_over and self._source.may_read:
            self._read_some()
        self.look()

    def _must_wait(self) -> bool:
        return not self._turns.may_go_on(self.holder) or bool(self._owed_seconds())

    def _owed_seconds(self) -> float:
        """How long until its own account is paid back."""
        now_seconds = monotonic()
        seconds = self._account.wait_seconds(now_seconds)
        if seconds:
            self._patience.over(now_seconds)
        return seconds

    def _wait(self) -> None:
        self._is_waiting = True
        self._source.stop_reading()
        seconds = self._owed_seconds()
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._turns.wait, self.holder, self)
        else:
            self._turns.wait(self.holder, self)

    def _read_some(self) -> None:
        """A slice, and charge for it."""
        began, before = perf_counter(), len(self.unread)
        frames = self._read_slice()
        self._spend(before - len(self.unread), frames, A_READ_SECONDS + perf_counter() - began)

    def _spend(self, size_bytes: int, frames: int, seconds: float) -> None:
        self._account.spend(size_bytes, frames, seconds * 1_000)
        self._turns.spent(self.holder, size_bytes, frames, seconds)

    def _read_slice(self) -> int:
        """Some frames; how many they were."""
        standing = self._patience.standing(monotonic())
        if standing == "far_over":
            self._over["flood_ended"] += 1
            self._source.end_flood()
            return 1
        take = self._source.read if standing == "within" else self._refuse_unread
        unread, frames = self.unread, 0
        enough = len(unread) - SLICE_BYTES
        while frames < SLICE_FRAMES and len(unread) > enough and self._source.may_read and not self._is_over:
            where = unread.frame()
            if where is None:
                break
            frames += 1
            take(unread.buffer, where)
        return frames

    def _refuse_unread(self, buffer: bytes, where: Extent) -> None:
        self._over["refused_unread"] += 1
        self._source.refuse_unread(buffer, where)
