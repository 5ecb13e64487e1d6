"""What still comes from whoever is not heard any more: read in turns as everything else, and thrown away.

It is read at all so that an answer is not lost by closing over unread bytes. Nothing is kept of it, and nothing judged.
"""

from collections.abc import Callable

from bridge.budget.accounts import Holder
from bridge.budget.turns import A_READ_SECONDS, Turns


class Waste:
    """Of one socket, on a holder's account."""

    def __init__(self, turns: Turns, holder: Holder, stop: Callable[[], None], start: Callable[[], None]) -> None:
        """`stop` and `start` reading; both must be harmless when the socket is gone."""
        self._turns = turns
        self._holder = holder
        self._stop = stop
        self._start = start
        self._is_waiting = False
        self.size_bytes = 0
        """How much it was by now."""

    def came(self, size_bytes: int) -> None:
        """So much has just been read."""
        self.size_bytes += size_bytes
        self._turns.spent(self._holder, size_bytes, 1, A_READ_SECONDS)
        if not self._is_waiting and not self._turns.may_go_on(self._holder):
            self._is_waiting = True
            self._stop()
            self._turns.wait(self._holder, self)

    def go_on(self) -> None:
        """Its turn has come."""
        self._is_waiting = False
        self._turns.spent(self._holder, 0, 0, A_READ_SECONDS)
        self._start()

    def end(self) -> None:
        """Nothing more comes."""
        self._holder.withdraw(self)
