"""Rate limit for the orders about a tenant over HTTP. It carries nothing out, and does not know what an order is.

The reason for it: each order is written, recorded, and applied by every process. The command line has no such limit,
because its user has access to Redis itself.
"""

import time
from collections.abc import Callable
from typing import Final

from bridge.api.errors import AdminRefusal
from bridge.budget.rate import Bucket, Rate
from bridge.handshake.authentication import Administrator

ORDERS_AT_ONCE: Final = 100
ORDERS_PER_SECOND: Final = 5
"""Of each party, on one process. So is `ORDERS_AT_ONCE`."""
_RATE: Final = Rate(ORDERS_PER_SECOND, ORDERS_AT_ONCE)

Party = tuple[str, bool]
"""A tenant, and whether the key is for the whole platform. The administrators of one party share one limit.

The keys of a tenant are one party, and the keys of the platform, for orders about this tenant, another."""


def party_of(administrator: Administrator, tenant: str) -> Party:
    """The party of an administrator who gives an order about `tenant`."""
    return tenant, administrator.is_for_platform


class Pace:
    """The limit of each party. Bounded by the tenants that the bridge knows: there are no parties of others."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._buckets: dict[Party, Bucket] = {}

    def spend(self, party: Party) -> None:
        """Count one order. Raises `AdminRefusal` (429) if that is one too many."""
        now = self._seconds()
        bucket = self._buckets.get(party)
        if bucket is None:
            bucket = self._buckets[party] = Bucket(_RATE, now)
        if bucket.spend(now) != "within":
            sentence = f"A tenant takes {ORDERS_AT_ONCE} orders at once, then {ORDERS_PER_SECOND} a second; try again."
            raise AdminRefusal(429, "rate_limited", sentence)
