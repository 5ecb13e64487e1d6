"""The time in which a request must have come: its head within some seconds, its body at no less than a pace."""

import asyncio
from collections.abc import Callable
from typing import Final

REQUEST_SECONDS: Final = 8.0
SLOWEST_BYTES_PER_SECOND: Final = 4_096
"""The pace at which a body may come that takes longer than `REQUEST_SECONDS`."""


class RequestDeadline:
    """Of one connection, for one request after another. It keeps nothing of its connection but a timer that runs."""

    __slots__ = ("_begun_at", "_loop", "_timer", "body_bytes", "is_in_head", "is_whole")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._begun_at = 0.0
        self.begin()

    def begin(self) -> None:
        """Another request is to come. Its time begins with `expect`."""
        self.is_in_head = True
        self.is_whole = False
        self.body_bytes = 0

    def expect(self, late: Callable[[], None]) -> None:
        """The time of this request begins, unless it has begun already. `late` is called when it is over."""
        if self._timer is None:
            self._begun_at = self._loop.time()
            self._timer = self._loop.call_later(REQUEST_SECONDS, self._look, late)

    def complete(self) -> None:
        """The request has come, whole."""
        self.is_whole = True
        self.end()

    def end(self) -> None:
        """Nobody waits for the rest of the request any more; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def linger(self, seconds: float, over: Callable[[], None]) -> None:
        """Nothing more is expected: call `over` after this time instead."""
        self.end()
        self._timer = self._loop.call_later(seconds, over)

    def _look(self, late: Callable[[], None]) -> None:
        self._timer = None
        seconds = REQUEST_SECONDS + self.body_bytes / SLOWEST_BYTES_PER_SECOND
        left = 0 if self.is_in_head else self._begun_at + seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look, late)
        else:
            late()
