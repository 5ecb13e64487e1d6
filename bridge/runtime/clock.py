"""The time of day, as the sessions of both languages ask for it."""

import time


class WallClock:
    """The system's clock, which may be set."""

    def microseconds(self) -> int:
        """Since the epoch."""
        return time.time_ns() // 1_000
