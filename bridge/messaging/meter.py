"""How fast one sender speaks, by the clock of the running event loop. It refuses nothing: whoever asks does."""

import asyncio

from bridge.budget.rate import Bucket, Pace


class Meter:
    """The rate of one sender. `messages_per_second` of 0 sets no limit; `burst` messages may come at once."""

    def __init__(self, messages_per_second: float, burst: int) -> None:
        self._now_seconds = asyncio.get_running_loop().time
        self._bucket = Bucket(messages_per_second, burst, self._now_seconds())

    def spend(self) -> Pace:
        """Count one message."""
        return self._bucket.spend(self._now_seconds())
