"""What histories take in Redis stays within its bound, however messages come."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from bridge.broker import history_budget as module
from bridge.broker.history_budget import BLOCK, HISTORY_BYTES, MESSAGE_BYTES, HistoryBudget

MESSAGES, SECONDS = 3, 10
ONE = HISTORY_BYTES + MESSAGE_BYTES
FIVE = 5 * ONE
WASTE = 1.3
"""An allocator has its own sizes."""


def keep(
    budget: HistoryBudget, channel: str, sizes: Iterable[int], now: float = 0.0, tenant: str = "acme"
) -> list[bool]:
    budget.forget(now)
    return [budget.may_keep(channel.encode(), tenant, size, now) for size in sizes]


def test_a_first_message_on_a_channel_takes_more_than_the_next() -> None:
    budget = HistoryBudget(FIVE, MESSAGES, SECONDS)
    assert keep(budget, "a", [100]) == [True]
    assert budget.size_bytes == ONE + 100
    assert keep(budget, "a", [100]) == [True]
    assert budget.size_bytes == ONE + MESSAGE_BYTES + 200
    assert len(budget) == 1


def test_what_is_beyond_the_bound_is_not_kept_and_not_counted() -> None:
    budget = HistoryBudget(ONE + 100, MESSAGES, SECONDS)
    assert keep(budget, "a", [101, 100, 0]) == [False, True, False]
    assert budget.size_bytes == ONE + 100


def test_of_several_tenants_one_may_take_half() -> None:
    budget = HistoryBudget(4 * ONE, MESSAGES, SECONDS)
    budget.has_several_tenants = True
    kept = [keep(budget, f"a{number}", [0]) for number in range(3)]
    assert kept == [[True], [True], [False]]
    assert keep(budget, "b", [0], tenant="beta") == [True]


def test_a_channel_on_which_nothing_was_kept_for_long_is_forgotten() -> None:
    budget = HistoryBudget(2 * ONE, MESSAGES, SECONDS)
    keep(budget, "a", [0], now=0)
    keep(budget, "b", [0], now=5)
    assert keep(budget, "c", [0], now=SECONDS) == [False]
    assert keep(budget, "c", [0], now=SECONDS + 1) == [True]
    assert len(budget) == 2
    assert keep(budget, "d", [0], now=3 * SECONDS) == [True]
    assert (len(budget), budget.size_bytes) == (1, ONE)


def test_old_messages_count_until_redis_has_certainly_removed_them() -> None:
    budget = HistoryBudget(10**9, MESSAGES, SECONDS)
    keep(budget, "a", [1_000] * BLOCK)
    keep(budget, "a", [0] * (MESSAGES + BLOCK - 1))
    assert budget.size_bytes > BLOCK * 1_000
    keep(budget, "a", [0])
    assert budget.size_bytes < BLOCK * 1_000


SIZES = st.sampled_from((0, 50, 3_000))
SAID = st.tuples(st.sampled_from("abc"), SIZES, st.integers(1, BLOCK), st.integers(0, SECONDS))


@given(st.lists(SAID, max_size=30), st.integers(1, 2 * BLOCK), st.integers(1, 2))
def test_what_redis_has_is_never_more_than_the_bound(
    said: list[tuple[str, int, int, int]], messages: int, tenants: int
) -> None:
    """Redis as it is at its worst: it removes what is too much only by a whole block at a time."""
    most_bytes = 60 * ONE
    budget = HistoryBudget(most_bytes, messages, SECONDS)
    budget.has_several_tenants = tenants > 1
    there: dict[str, deque[int]] = defaultdict(deque)
    last_at: dict[str, float] = {}
    now = 0.0
    for channel, size, times, pause in said:
        now += pause
        for gone in [name for name, at in last_at.items() if at + SECONDS < now]:
            del there[gone], last_at[gone]
        for kept in keep(budget, channel, [size] * times, now, tenant=channel):
            if kept:
                there[channel].append(size + MESSAGE_BYTES)
                last_at[channel] = now
                if len(there[channel]) >= messages + BLOCK:
                    for _ in range(BLOCK):
                        there[channel].popleft()
        taken = {name: HISTORY_BYTES + sum(sizes) for name, sizes in there.items()}
        assert sum(taken.values()) <= budget.size_bytes <= most_bytes
        assert all(each <= most_bytes / tenants for each in taken.values())


def test_of_each_tenant_so_many_channels_are_noted_by_themselves_until_their_notes_are_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_NOTED", 2)
    budget = HistoryBudget(0, MESSAGES, SECONDS)

    def noted(channel: str, now: float, tenant: str = "acme") -> bool:
        return budget.may_note(channel.encode(), tenant, now)

    assert [noted(channel, 0) for channel in "abac"] == [True, True, True, False]
    assert noted("d", 0, tenant="beta")
    assert noted("a", 5)
    assert [noted(channel, SECONDS) for channel in "bc"] == [True, False]
    assert [noted(channel, SECONDS + 6) for channel in "cabd"] == [True, False, True, False]
    assert noted("d", 4 * SECONDS)
    assert len(budget._noted) == sum(budget._noted_of.values()) == 1


@pytest.mark.parametrize("size", [1, 100, 300, 1_000, 4_000, 60_000])
@pytest.mark.parametrize("count", [1, 10, 500])
def test_redis_takes_about_what_is_counted(redis_url: str, prefix: str, size: int, count: int) -> None:
    budget = HistoryBudget(10**9, 300, SECONDS)
    keep(budget, "a", [size] * count)
    with redis.Redis.from_url(redis_url) as client:
        for number in range(count):
            client.xadd(
                prefix, {"m": b"x" * size}, id=f"{1_767_261_600_000_000 + number}-0", maxlen=300, approximate=True
            )
        taken = client.memory_usage(prefix, samples=0)
    assert taken is not None
    assert taken <= WASTE * budget.size_bytes
