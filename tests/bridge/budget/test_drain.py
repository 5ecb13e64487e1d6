"""Slow means not draining: on bytes, and on time without progress."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.drain import MOST_TIMES, Drain, OutboxBounds

BOUNDS = OutboxBounds(1_000, 100)


def is_slow(waiting_bytes: int, each_second: int, seconds: int, *, written_each_second: int = 0) -> bool:
    """Whether a client is found slow that takes so much each second, of what waits and is written on."""
    drain = Drain(BOUNDS)
    drain.written_bytes = waiting_bytes
    for second in range(seconds):
        if drain.is_too_slow(waiting_bytes, second):
            return True
        waiting_bytes = max(0, waiting_bytes - each_second) + written_each_second
        drain.written_bytes += written_each_second
    return False


def test_who_reads_nothing_is_slow_after_the_time_that_draining_the_bound_may_take() -> None:
    assert BOUNDS.seconds == 10
    assert not is_slow(1_001, 0, 11)
    assert is_slow(1_001, 0, 12)


def test_within_the_bound_nobody_is_slow_however_long_it_waits() -> None:
    assert not is_slow(1_000, 0, 1_000)


def test_a_trickle_is_slow_and_who_drains_is_not_however_much_is_written_on() -> None:
    assert is_slow(2_000, 50, 30)
    assert not is_slow(2_000, 100, 1_000, written_each_second=100)
    assert is_slow(2_000, 90, 1_000, written_each_second=90)


def test_four_times_the_bound_is_too_much_for_anybody() -> None:
    assert not is_slow(MOST_TIMES * 1_000, 1_000, 1_000)
    assert is_slow(MOST_TIMES * 1_000 + 1, 1_000, 1)


def test_who_drained_to_the_bound_has_the_whole_time_again() -> None:
    drain = Drain(BOUNDS)
    drain.written_bytes = 1_500
    assert not drain.is_too_slow(1_500, 0)
    assert not drain.is_too_slow(900, 9)
    drain.written_bytes += 600
    assert not drain.is_too_slow(1_500, 15)
    assert not drain.is_too_slow(1_500, 25)
    assert drain.is_too_slow(1_500, 26)


def test_without_a_rate_only_the_bytes_count() -> None:
    drain = Drain(OutboxBounds(1_000, 0))
    drain.written_bytes = 4_001
    assert not drain.is_too_slow(4_000, 0)
    assert not drain.is_too_slow(4_000, 1e9)
    assert drain.is_too_slow(4_001, 1e9)


@given(st.integers(1_001, 4_000), st.integers(110, 1_000))
def test_who_drains_faster_than_the_rate_is_never_slow(waiting_bytes: int, each_second: int) -> None:
    assert not is_slow(waiting_bytes, each_second, 100)
