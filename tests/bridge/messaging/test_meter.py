"""How fast one sender may speak, by the loop's clock. The rule is in `tests/bridge/budget/test_rate.py`."""

import asyncio

from bridge.budget.rate import PATIENCE_SECONDS, Rate
from bridge.budget.shared_rate import NO_LIMIT, SharedRate
from bridge.messaging.meter import Meter


async def test_a_burst_is_within_the_rate_and_one_more_is_over() -> None:
    meter = Meter(Rate(0.001, 3), SharedRate().of("acme"))
    assert [meter.spend() for _ in range(4)] == ["within", "within", "within", "over"]


async def test_a_rate_of_zero_sets_no_limit() -> None:
    meter = Meter(Rate(0, 1), SharedRate().of("acme"))
    assert {meter.spend() for _ in range(100)} == {"within"}


async def test_what_is_too_much_of_a_tenant_is_over_for_each_of_its_senders_and_no_flood_of_theirs() -> None:
    rates = SharedRate()
    rates.allow(NO_LIMIT, lambda tenant: Rate(1, 2) if tenant == "acme" else NO_LIMIT)
    now_seconds = asyncio.get_running_loop().time() + 1
    one, another = (Meter(Rate(100, 100), rates.of("acme")) for _ in range(2))
    other = Meter(Rate(100, 100), rates.of("other"))
    for meter in (one, another, other):
        meter._now_seconds = lambda: now_seconds
    assert [one.spend(), another.spend(), one.spend(), another.spend()] == ["within", "within", "over", "over"]
    for _ in range(round(3 * PATIENCE_SECONDS)):
        now_seconds += 0.5
        assert {one.spend() for _ in range(5)} <= {"within", "over"}
        assert other.spend() == "within"
