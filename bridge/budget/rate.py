"""Token bucket for one connection's message rate. Pure: callers pass in the time.

Each message over the rate is refused. A connection whose messages are refused for `PATIENCE_SECONDS` is closed.
`FORGIVEN_SECONDS` without a refused message reset that time.
"""

from dataclasses import dataclass
from math import inf
from typing import Final, Literal

Pace = Literal["within", "over", "far_over"]
"""`within` the rate: accepted. `over`: the message is refused. `far_over`: the connection is to be closed."""

PATIENCE_SECONDS: Final = 10.0
FORGIVEN_SECONDS: Final = 2.0


class Excess:
    """How long a limit has been exceeded. `FORGIVEN_SECONDS` within it reset the time."""

    __slots__ = ("_over_at", "_over_since")

    def __init__(self) -> None:
        self._over_since = self._over_at = -inf

    def over(self, now_seconds: float) -> None:
        """Note that the limit is exceeded now."""
        if now_seconds - self._over_at > FORGIVEN_SECONDS:
            self._over_since = now_seconds
        self._over_at = now_seconds

    def seconds_over(self, now_seconds: float) -> float:
        """For how long it has been exceeded; 0 if it is forgiven."""
        return 0.0 if now_seconds - self._over_at > FORGIVEN_SECONDS else now_seconds - self._over_since


@dataclass(slots=True)
class Rate:
    """So many messages on average, and `burst` at once; with `per_second` 0 everything is allowed.

    Buckets share it: what is changed here counts for all of them at once.
    """

    per_second: float
    burst: int


class Bucket(Excess):
    """Allows what `rate` says."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now_seconds: float) -> None:
        super().__init__()
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = now_seconds

    def spend(self, now_seconds: float) -> Pace:
        """Count one message, and return whether it is within the rate."""
        rate = self._rate
        if rate.per_second == 0:
            return "within"
        self._tokens = min(rate.burst, self._tokens + (now_seconds - self._at) * rate.per_second)
        self._at = now_seconds
        if self._tokens >= 1:
            self._tokens -= 1
            return "within"
        self.over(now_seconds)
        return "far_over" if self.seconds_over(now_seconds) >= PATIENCE_SECONDS else "over"
