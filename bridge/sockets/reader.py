"""Reads the frames of one WebSocket in slices, as its budget and the turns of the loop allow. It checks no frame.

While frames must wait, reading is paused. They wait in the queue of the holder, or, when the connection's own account
is overdrawn, until it is paid back. A connection that stays overdrawn has its frames refused unread, and is closed in
the end (see `Patience` in `bridge/budget/accounts.py`).
"""

import asyncio
from time import monotonic, perf_counter
from typing import Final, Protocol

from bridge.budget.accounts import Holder, Patience, Standing
from bridge.budget.budget import Budget
from bridge.budget.turns import A_READ_SECONDS
from bridge.sockets.framing import Extent
from bridge.sockets.receive_buffer import ReceiveBuffer

SLICE_FRAMES: Final = 32
SLICE_BYTES: Final = 65_536


class Source(Protocol):
    """What a reader needs from its socket."""

    @property
    def may_read(self) -> bool:
        """Whether a frame that is read now can be handled."""

    def read(self, buffer: bytes, where: Extent) -> None:
        """Handle one complete frame."""

    def refuse_unread(self, buffer: bytes, where: Extent) -> None:
        """Refuse one complete frame: the connection has been over its budget for some time."""

    def judge_beginning(self, unread: ReceiveBuffer) -> None:
        """Look at a frame of which only the beginning has arrived, perhaps more than before."""

    def end_flood(self) -> None:
        """Close the connection: it has been over its budget for too long."""

    def stop_reading(self) -> None:
        """Pause reading; harmless when repeated."""

    def start_reading(self) -> None:
        """Resume reading; harmless when repeated."""


class _Nobody:
    """Null object: the source of a reader that has ended."""

    may_read = False

    def read(self, buffer: bytes, where: Extent) -> None: ...

    def refuse_unread(self, buffer: bytes, where: Extent) -> None: ...

    def judge_beginning(self, unread: ReceiveBuffer) -> None: ...

    def end_flood(self) -> None: ...

    def stop_reading(self) -> None: ...

    def start_reading(self) -> None: ...


_NOBODY: Final = _Nobody()


class Reader:
    """The bytes that one socket has received, and the accounts that pay for reading them."""

    __slots__ = ("_account", "_is_over", "_is_waiting", "_over", "_patience", "_source", "_turns", "holder", "unread")

    def __init__(self, source: Source, budget: Budget, holder: Holder) -> None:
        """`holder` pays in addition to the connection's own account. It is replaced when the client is identified."""
        self.holder = holder
        self.unread: ReceiveBuffer | None = None
        """What was received and is not read yet; `None` where that is nothing."""
        self._source: Source = source
        self._turns = budget.turns
        self._over = budget.over
        self._account = budget.connection()
        self._patience: Patience | None = None  # only for those who are over, or were a moment ago
        self._is_waiting = self._is_over = False

    @property
    def is_ready(self) -> bool:
        """Whether a frame that arrives may be read at once: nothing waits, and nobody who pays is overdrawn."""
        return (
            self.unread is None
            and self._patience is None
            and self._account.is_solvent
            and self._turns.is_free_for(self.holder)
        )

    def has_read(self, size_bytes: int, seconds: float) -> None:
        """Charge for one frame that arrived while this was ready, and was read in so many seconds."""
        seconds += A_READ_SECONDS
        self._account.spend(size_bytes, 1, seconds * 1_000)
        self._turns.spent(self.holder, size_bytes, 1, seconds)

    def add(self, data: bytes) -> None:
        """Add received bytes, and read the frames in them. An incomplete frame costs a read too."""
        if self._is_over:
            return None
        unread = self.unread = self.unread or ReceiveBuffer()
        unread.add(data)
        if unread.may_hold_a_frame:
            return self.look()
        self._spend(0, 0, A_READ_SECONDS)
        if not self._is_waiting and self._must_wait():
            self._wait()
        return None

    def end(self) -> None:
        """Read nothing more. Drop the bytes, and the reference to the socket, which has a reference to this reader."""
        self._is_over = True
        self.holder.withdraw(self)
        self._source = _NOBODY
        self.unread = None

    def look(self) -> None:
        """Read the complete frames, now or in the next turns; pause the socket while it may not be read."""
        while not self._is_waiting and not self._is_over:
            if not self._source.may_read:
                return self._source.stop_reading()
            if self.unread is None or not self.unread.may_hold_a_frame:
                return self._source.start_reading()
            if self._must_wait():
                return self._wait()
            self._read_some(self.unread)
        return None

    def go_on(self) -> None:
        """Read a slice: it is this socket's turn."""
        self._is_waiting = False
        if self.unread is not None and self._source.may_read:
            self._read_some(self.unread)
        self.look()

    def _must_wait(self) -> bool:
        return not self._turns.may_go_on(self.holder) or bool(self._owed_seconds())

    def _owed_seconds(self) -> float:
        """Seconds until the connection's own account is paid back; 0 when it is not overdrawn."""
        now_seconds = monotonic()
        seconds = self._account.wait_seconds(now_seconds)
        if seconds:
            self._patience = self._patience or Patience()
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

    def _read_some(self, unread: ReceiveBuffer) -> None:
        """Read one slice, and charge for it."""
        began, before = perf_counter(), len(unread)
        frames = self._read_slice(unread)
        left = len(unread)
        if left:
            self._source.judge_beginning(unread)
        else:
            self.unread = None
        self._spend(before - left, frames, A_READ_SECONDS + perf_counter() - began)

    def _spend(self, size_bytes: int, frames: int, seconds: float) -> None:
        self._account.spend(size_bytes, frames, seconds * 1_000)
        self._turns.spent(self.holder, size_bytes, frames, seconds)

    def _read_slice(self, unread: ReceiveBuffer) -> int:
        """Read or refuse the frames of one slice; returns how many. Bounds: `SLICE_FRAMES`, `SLICE_BYTES`."""
        standing = self._standing()
        if standing == "far_over":
            self._over["flood_ended"] += 1
            self._source.end_flood()
            return 1
        take = self._source.read if standing == "within" else self._refuse_unread
        frames = 0
        enough = len(unread) - SLICE_BYTES
        while frames < SLICE_FRAMES and len(unread) > enough and self._source.may_read and not self._is_over:
            where = unread.frame()
            if where is None:
                break
            frames += 1
            take(unread.buffer, where)
        return frames

    def _standing(self) -> Standing:
        """How the connection stands with its own account; what is forgiven is forgotten."""
        if self._patience is None:
            return "within"
        now_seconds = monotonic()
        if not self._patience.seconds_over(now_seconds):
            self._patience = None
            return "within"
        return self._patience.standing(now_seconds)

    def _refuse_unread(self, buffer: bytes, where: Extent) -> None:
        self._over["refused_unread"] += 1
        self._source.refuse_unread(buffer, where)
