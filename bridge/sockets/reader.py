"""Reads the frames of one WebSocket in slices, as its budget and the turns of the loop allow. It checks no frame.

While frames must wait, reading is paused. They wait in the queue of the holder, or, when the connection's own account
is overdrawn, until it is paid back. A connection that stays overdrawn has its frames refused unread, and is closed in
the end (see `Patience` in `bridge/budget/accounts.py`).
"""

import asyncio
from time import monotonic, perf_counter
from typing import Final, Protocol

from bridge.budget.accounts import Holder, Patience
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

    def end_flood(self) -> None: ...

    def stop_reading(self) -> None: ...

    def start_reading(self) -> None: ...


_NOBODY: Final = _Nobody()


class Reader:
    """The bytes that one socket has received, and the accounts that pay for reading them."""

    def __init__(self, source: Source, budget: Budget, holder: Holder) -> None:
        """`holder` pays in addition to the connection's own account. It is replaced when the client is identified."""
        self.holder = holder
        self.unread: Final = ReceiveBuffer()
        self._source: Source = source
        self._turns = budget.turns
        self._over = budget.over
        self._account = budget.connection()
        self._patience = Patience()
        self._is_waiting = self._is_over = False

    def add(self, data: bytes) -> None:
        """Add received bytes, and read the frames in them. An incomplete frame costs a read too."""
        self.unread.add(data)
        if self.unread.may_hold_a_frame or self._is_over:
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
        self.unread.take_all()

    def look(self) -> None:
        """Read the complete frames, now or in the next turns; pause the socket while it may not be read."""
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
        """Read a slice: it is this socket's turn."""
        self._is_waiting = False
        if not self._is_over and self._source.may_read:
            self._read_some()
        self.look()

    def _must_wait(self) -> bool:
        return not self._turns.may_go_on(self.holder) or bool(self._owed_seconds())

    def _owed_seconds(self) -> float:
        """Seconds until the connection's own account is paid back; 0 when it is not overdrawn."""
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
        """Read one slice, and charge for it."""
        began, before = perf_counter(), len(self.unread)
        frames = self._read_slice()
        self._spend(before - len(self.unread), frames, A_READ_SECONDS + perf_counter() - began)

    def _spend(self, size_bytes: int, frames: int, seconds: float) -> None:
        self._account.spend(size_bytes, frames, seconds * 1_000)
        self._turns.spent(self.holder, size_bytes, frames, seconds)

    def _read_slice(self) -> int:
        """Read or refuse the frames of one slice; returns how many. Bounds: `SLICE_FRAMES`, `SLICE_BYTES`."""
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
