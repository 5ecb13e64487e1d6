"""Token bucket for the message rate of one sender, on the event loop's clock. It refuses nothing: its caller does."""

import asyncio

from bridge.budget.rate import Bucket, Pace, Rate


class Meter:
    """What one sender has spent of its rate."""

    def __init__(self, rate: Rate) -> None:
        self._now_seconds = asyncio.get_running_loop().time
        self._bucket = Bucket(rate, self._now_seconds())

    def spend(self) -> Pace:
        """Count one message, and return how the sender's rate stands to its limit."""
        return self._bucket.spend(self._now_seconds())
