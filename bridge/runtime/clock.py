"""The wall clock: implements the port `Clock` of V2 and V3."""

import time


class WallClock:
    """The system's clock. It can go backwards, since it may be set."""

    def microseconds(self) -> int:
        """The time now, in microseconds since the epoch."""
        return time.time_ns() // 1_000
