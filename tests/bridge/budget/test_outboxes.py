"""What waits for all connections together."""

from __future__ import annotations

import pytest

from bridge.budget import outboxes
from bridge.budget.outboxes import Outboxes
from tests.bridge.broker.parts import running, until


class Slow:
    def __init__(self, size: int, *, is_stuck: bool = False) -> None:
        self.size = size
        self.is_stuck = is_stuck
        self.is_cut = False

    def waiting_bytes(self) -> int:
        return self.size

    def is_slow(self, now_seconds: float) -> bool:
        return self.is_stuck

    def cut(self) -> None:
        self.is_cut = True


def cut(most_bytes: int, *sizes: int) -> tuple[list[int], int]:
    """Which of these are cut, by size, and how many were counted."""
    all_of_them, slow = Outboxes(most_bytes), [Slow(size) for size in sizes]
    for one in slow:
        all_of_them.fill(one)
    all_of_them.look()
    return [one.size for one in slow if one.is_cut], all_of_them.cut


def test_within_the_bound_nobody_is_cut() -> None:
    assert cut(100, 50, 50) == ([], 0)
    assert cut(100) == ([], 0)


def test_the_fullest_are_cut_until_the_rest_is_within_the_bound() -> None:
    assert cut(100, 10, 80, 30, 60) == ([80], 1)
    assert cut(100, 70, 80, 30, 60) == ([70, 80], 2)


def test_who_does_not_drain_is_cut_first_and_is_no_victim_of_the_sum() -> None:
    stuck, large, all_of_them = Slow(80, is_stuck=True), Slow(90), Outboxes(100)
    for one in (stuck, large):
        all_of_them.fill(one)
    all_of_them.look()
    assert (stuck.is_cut, large.is_cut, all_of_them.cut, all_of_them.waiting_bytes) == (True, False, 0, 90)


def test_who_is_drained_is_no_longer_looked_at() -> None:
    slow, all_of_them = Slow(500), Outboxes(100)
    all_of_them.fill(slow)
    assert all_of_them.waiting_bytes == 500
    all_of_them.drain(slow)
    all_of_them.drain(slow)
    all_of_them.look()
    assert (slow.is_cut, all_of_them.waiting_bytes) == (False, 0)


async def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "LOOK_SECONDS", 0.001)
    slow, all_of_them = Slow(500), Outboxes(100)
    async with running(all_of_them):
        all_of_them.fill(slow)
        await until(lambda: slow.is_cut)
