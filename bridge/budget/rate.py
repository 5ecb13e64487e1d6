"""How fast one connection may speak: a token bucket. Pure: it is told the time.

What exceeds the rate is refused, message by message; a connection that goes on being refused for `PATIENCE_SECONDS` is
closed. A pause of `FORGIVEN_SECONDS` without any refusal forgives.
"""

from typing import Final, Literal

Pace = Literal["within", "over", "far_over"]

PATIENCE_SECONDS: Final = 10.0
FORGIVEN_SECONDS: Final = 2.0


class Bucket:
    """`per_second` messages on average, `burst` at once; `per_second` 0 allows everything."""

    __slots__ = ("_at", "_burst", "_over_at", "_over_since", "_per_second", "_tokens")

    def __init__(self, per_second: float, burst: int, now_seconds: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = now_seconds
        self._over_since = self._over_at = float("-inf")

    def spend(self, now_seconds: float) -> Pace:
        """Count one message."""
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
