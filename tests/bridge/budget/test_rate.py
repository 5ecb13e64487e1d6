import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.rate import FORGIVEN_SECONDS, PATIENCE_SECONDS, Bucket, Rate

pauses = st.lists(st.floats(0, 3, allow_nan=False) | st.just(0.0), max_size=60)


@given(st.floats(0.1, 1000), st.integers(1, 50), pauses)
def test_never_more_than_the_burst_and_the_rate_times_the_time_pass(
    rate: float, burst: int, pauses: list[float]
) -> None:
    """Between any two moments, not only since the beginning."""
    bucket, now, passed = Bucket(Rate(rate, burst), 100.0), 100.0, list[float]()
    for pause in pauses:
        now += pause
        if bucket.spend(now) == "within":
            passed.append(now)
    for first, since in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + rate * (passed[last] - since) + 1e-6


@given(st.floats(0.1, 1000), st.integers(1, 50), pauses)
def test_whoever_keeps_to_the_rate_is_never_refused(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now = Bucket(Rate(rate, burst), 100.0), 100.0
    for pause in pauses:
        now += pause + 1.001 / rate
        assert bucket.spend(now) == "within"


def test_the_burst_may_be_said_at_once_and_comes_back_with_time() -> None:
    bucket = Bucket(Rate(10, 3), 0.0)
    assert [bucket.spend(0.0) for _ in range(4)] == ["within", "within", "within", "over"]
    assert [bucket.spend(0.1) for _ in range(2)] == ["within", "over"]
    assert [bucket.spend(100.0) for _ in range(4)] == ["within", "within", "within", "over"]


def test_a_rate_of_zero_allows_everything() -> None:
    bucket = Bucket(Rate(0, 1), 0.0)
    assert {bucket.spend(0.0) for _ in range(10_000)} == {"within"}


@pytest.mark.parametrize("messages_per_second", [1000, 200, 5])
def test_a_flood_is_far_over_after_ten_seconds_of_it(messages_per_second: int) -> None:
    bucket, step = Bucket(Rate(1, 1), 0.0), 1 / messages_per_second
    over_since, far_over_at = None, None
    for count in range(messages_per_second * 20):
        pace = bucket.spend(count * step)
        if pace != "within" and over_since is None:
            over_since = count * step
        if pace == "far_over":
            far_over_at = count * step
            break
    assert over_since is not None
    assert far_over_at is not None
    assert PATIENCE_SECONDS <= far_over_at - over_since + 1e-6 <= PATIENCE_SECONDS + 2 * step + 1


def test_a_pause_without_a_refusal_forgives() -> None:
    bucket, now = Bucket(Rate(1, 1), 0.0), 0.0
    for _ in range(20):
        assert [bucket.spend(now) for _ in range(2)] == ["within", "over"]
        now += FORGIVEN_SECONDS + 0.1


def test_what_passes_in_between_does_not_forgive() -> None:
    bucket = Bucket(Rate(10, 1), 0.0)
    paces = [bucket.spend(tenth * 0.05) for tenth in range(300)]
    assert paces.count("within") > 100
    assert paces[-1] == "far_over" or paces[-2] == "far_over"
    assert "far_over" not in paces[:200]


def test_another_rate_counts_at_once_for_whoever_speaks_already() -> None:
    rate = Rate(0, 1)
    buckets = [Bucket(rate, 0.0) for _ in range(2)]
    assert [bucket.spend(1.0) for bucket in buckets for _ in range(9)] == ["within"] * 18
    rate.per_second, rate.burst = 1, 2
    for bucket in buckets:
        assert [bucket.spend(9.0) for _ in range(3)] == ["within", "within", "over"]
        assert [bucket.spend(10.0) for _ in range(2)] == ["within", "over"]
