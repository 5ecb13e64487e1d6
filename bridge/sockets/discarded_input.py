"""Discards what a client still sends after its connection has ended for us. It is charged, and waits for its turn.

The bytes are read so that the last response is not lost: closing a socket with unread bytes resets it. Nothing is
stored or checked.
"""

from collections.abc import Callable

from bridge.budget.accounts import Holder
from bridge.budget.turns import A_READ_SECONDS, Turns


class DiscardedInput:
    """The discarded bytes of one socket, charged to `holder`."""

    def __init__(self, turns: Turns, holder: Holder, stop: Callable[[], None], start: Callable[[], None]) -> None:
        """`stop` pauses reading and `start` resumes it. Both must be harmless when the socket is gone."""
        self._turns = turns
        self._holder = holder
        self._stop = stop
        self._start = start
        self._is_waiting = False
        self.size_bytes = 0
        """Bytes discarded so far."""

    def came(self, size_bytes: int) -> None:
        """Charge bytes that were just read and discarded; pause reading if the holder must wait."""
        self.size_bytes += size_bytes
        self._turns.spent(self._holder, size_bytes, 1, A_READ_SECONDS)
        if not self._is_waiting and not self._turns.may_go_on(self._holder):
            self._is_waiting = True
            self._stop()
            self._turns.wait(self._holder, self)

    def go_on(self) -> None:
        """Resume reading: it is this socket's turn."""
        self._is_waiting = False
        self._turns.spent(self._holder, 0, 0, A_READ_SECONDS)
        self._start()

    def end(self) -> None:
        """Leave the queue of the holder: the socket is gone."""
        self._holder.withdraw(self)
