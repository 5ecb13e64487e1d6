"""Token bucket for one connection's message rate. Pure: callers pass in the time.

Each message over the rate is refused. A connection whose messages are refused for `PATIENCE_SECONDS` is closed.
`FORGIVEN_SECONDS` without a refused message reset that time.
"""

from typing import Final, Literal

Pace = Literal["within", "over", "far_over"]
"""`within` the rate: accepted. `over`: the message is refused. `far_over`: the connection is to be closed."""

PATIENCE_SECONDS: Final = 10.0
FORGIVEN_SECONDS: Final = 2.0


class Bucket:
    """Allows `per_second` messages on average and `burst` at once; with `per_second` 0 everything is allowed."""

    __slots__ = ("_at", "_burst", "_over_at", "_over_since", "_per_second", "_tokens")

    def __init__(self, per_second: float, burst: int, now_seconds: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = now_seconds
        self._over_since = self._over_at = float("-inf")

    def spend(self, now_seconds: float) -> Pace:
        """Count one message, and return whether it is within the rate."""
        if self._per_second == 0:
            return "within"
        self._tokens = min(self._burst, self._tokens + (now_seconds - self._at) * self._per_second)
        self._at = now_seconds
        if self._tokens >= 1:
            self._tokens -= 1
            return "within"
        return self._over(now_seconds)

    def _over(self, now_seconds: float) -> Pace:
        if now_seconds - self._over_at > FORGIVEN_SECONDS:
            self._over_since = now_seconds
        self._over_at = now_seconds
        return "far_over" if now_seconds - self._over_since >= PATIENCE_SECONDS else "over"
