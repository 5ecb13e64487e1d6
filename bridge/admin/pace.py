"""How fast the administrators of a tenant may give orders over HTTP. It carries nothing out, and knows no order.

Each order is written, recorded, and obeyed by every process. The command line has no such bound: whoever uses it holds
the Redis itself.
"""

import time
from collections.abc import Callable
from typing import Final

from bridge.api.errors import AdminRefusal
from bridge.budget.rate import Bucket
from bridge.config.tables import EVERY_TENANT
from bridge.handshake.authentication import Administrator

ORDERS_AT_ONCE: Final = 100
ORDERS_PER_SECOND: Final = 5
"""On one process."""

Party = tuple[str, bool]
"""Who has a bound together: the administrators of a tenant, or those of the platform where they order for it."""


def party_of(administrator: Administrator, tenant: str) -> Party:
    """The party of whoever orders something of a tenant."""
    return tenant, EVERY_TENANT in administrator.tenants


class Pace:
    """What each party may still order. `tenant` is always one that the bridge knows: there are no more than those."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._buckets: dict[Party, Bucket] = {}

    def spend(self, party: Party) -> None:
        """Count one order. Raises `AdminRefusal` for one too many."""
        now = self._seconds()
        bucket = self._buckets.get(party)
        if bucket is None:
            bucket = self._buckets[party] = Bucket(ORDERS_PER_SECOND, ORDERS_AT_ONCE, now)
        if bucket.spend(now) != "within":
            sentence = f"A tenant takes {ORDERS_AT_ONCE} orders at once, then {ORDERS_PER_SECOND} a second; try again."
            raise AdminRefusal(429, "rate_limited", sentence)
