"""Token bucket for the message rate of one sender, on the event loop's clock. It refuses nothing: its caller does."""

import asyncio

from bridge.budget.rate import Bucket, Pace


class Meter:
    """The rate of one sender. `messages_per_second`: 0 means no limit. `burst`: messages that may come at once."""

    def __init__(self, messages_per_second: float, burst: int) -> None:
        self._now_seconds = asyncio.get_running_loop().time
        self._bucket = Bucket(messages_per_second, burst, self._now_seconds())

    def spend(self) -> Pace:
        """Count one message, and return how the sender's rate stands to its limit."""
        return self._bucket.spend(self._now_seconds())
