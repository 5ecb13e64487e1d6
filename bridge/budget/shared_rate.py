"""How many a second one tenant may have, and all tenants of a process together: of messages, or of handshakes. Pure.

Callers pass in the time. What is too many is refused at once; nothing waits here.

A tenant has a rate of its own. While all together have used up the rate of the process, those tenants are refused that
have had their equal share of the second, and no others: what one tenant takes is never missing to another.

Decided here: an equal share is the rate of the process divided by the number of tenants that found nothing left in this
second, or in the one before if those were more. What a tenant gets as its share is taken off what is left later. What
is left is reckoned anew only when nothing is left, so that counting costs next to nothing: after a quiet time somewhat
more than `burst` may come at once.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from bridge.budget.rate import Bucket, Rate

MOST_TENANTS: Final = 10_000
"""Tenants that are remembered. Beyond that the one that came first is forgotten; its open connections go on with it."""

NO_LIMIT: Final = Rate(0, 1)


class TenantRate:
    """The rate of one tenant, and what it has had of that of the process."""

    __slots__ = ("_all", "_bucket", "_rate", "had", "second", "tenant")

    def __init__(self, tenant: str, all_together: "SharedRate") -> None:
        self.tenant: Final = tenant
        self._all = all_together
        self._rate = NO_LIMIT
        self._bucket = Bucket(NO_LIMIT, 0.0)
        self.second = self.had = -1
        """The last second in which it found nothing left to the process, and how many it had of its share of it."""

    def allow(self, rate: Rate) -> None:
        """Another rate from now on, with its whole burst."""
        if rate != self._rate:
            self._rate, self._bucket = rate, Bucket(rate, 0.0)

    def spend(self, now_seconds: float) -> bool:
        """Count one, and return whether it is within the rates of the tenant and of the process."""
        if self._rate.per_second and self._bucket.spend(now_seconds) != "within":
            return self._all.refuse(self.tenant, "tenant")
        return not self._all.process.per_second or self._all.spend(self, now_seconds)


class SharedRate:
    """The rates of all tenants of one process, and that of the process. At first there is no limit."""

    def __init__(self) -> None:
        self.process = NO_LIMIT
        self.refused: Final[Counter[tuple[str, str]]] = Counter()
        """(tenant, whose rate was used up) -> how many were refused."""
        self._rate_of: Callable[[str], Rate] = lambda _tenant: NO_LIMIT
        self._tenants: Final[OrderedDict[str, TenantRate]] = OrderedDict()
        self._left, self._at = 0.0, 0.0
        self._second = self._asking = self._asked_before = 0

    def allow(self, process: Rate, rate_of: Callable[[str], Rate]) -> None:
        """Other rates from now on: of the process, and of each tenant."""
        self._left = min(self._left, process.burst)
        self.process, self._rate_of = process, rate_of
        for tenant, one in self._tenants.items():
            one.allow(rate_of(tenant))

    def of(self, tenant: str) -> TenantRate:
        """The rate of this tenant; it stays the same, whatever is allowed later."""
        one = self._tenants.get(tenant)
        if one is None:
            one = self._tenants[tenant] = TenantRate(tenant, self)
            one.allow(self._rate_of(tenant))
            if len(self._tenants) > MOST_TENANTS:
                self._tenants.popitem(last=False)
        return one

    def spend(self, one: TenantRate, now_seconds: float) -> bool:
        """Take one for this tenant from what is left to the process, or else from the tenant's share of this second."""
        if self._left >= 1:
            self._left -= 1
            return True
        self._left = min(self.process.burst, self._left + (now_seconds - self._at) * self.process.per_second)
        self._at = now_seconds
        share = self._share_of(one, int(now_seconds))
        if self._left < 1 and one.had >= share:
            return self.refuse(one.tenant, "process")
        one.had += 1
        self._left = max(self._left - 1, -self.process.burst)
        return True

    def _share_of(self, one: TenantRate, second: int) -> float:
        if second != self._second:
            self._asked_before = self._asking if second == self._second + 1 else 0
            self._second, self._asking = second, 0
        if second != one.second:
            one.second, one.had = second, 0
            self._asking += 1
        return self.process.per_second / max(self._asking, self._asked_before)

    def refuse(self, tenant: str, whose: str) -> bool:
        """Count one that is too many for the rate of the `tenant`, or of the `process`; returns false."""
        self.refused[tenant, whose] += 1
        return False
