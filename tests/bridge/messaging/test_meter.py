"""How fast one sender may speak, by the loop's clock. The rule is in `tests/bridge/budget/test_rate.py`."""

from bridge.budget.rate import Rate
from bridge.messaging.meter import Meter


async def test_a_burst_is_within_the_rate_and_one_more_is_over() -> None:
    meter = Meter(Rate(0.001, 3))
    assert [meter.spend() for _ in range(4)] == ["within", "within", "within", "over"]


async def test_a_rate_of_zero_sets_no_limit() -> None:
    meter = Meter(Rate(0, 1))
    assert {meter.spend() for _ in range(100)} == {"within"}
