"""Token bucket for the message rate of one sender, on the event loop's clock. It refuses nothing: its caller does.

A message that is within the sender's rate may still be one too many of its tenant. Then it is to be refused too, but
the sender has not flooded: it is never `far_over` because of what others of its tenant, or other tenants, have sent.
"""

import asyncio

from bridge.budget.rate import Bucket, Pace, Rate
from bridge.budget.shared_rate import TenantRate


class Meter:
    """What one sender has spent of its rate."""

    __slots__ = ("_bucket", "_now_seconds", "_of_tenant")

    def __init__(self, rate: Rate, of_tenant: TenantRate) -> None:
        self._now_seconds = asyncio.get_running_loop().time
        self._of_tenant = of_tenant
        self._bucket = Bucket(rate, self._now_seconds())

    def spend(self) -> Pace:
        """Count one message, and return how the sender stands to the limits."""
        now_seconds = self._now_seconds()
        pace = self._bucket.spend(now_seconds)
        return "over" if pace == "within" and not self._of_tenant.spend(now_seconds) else pace
