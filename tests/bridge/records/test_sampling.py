"""Of each kind the first event is told, then one a minute, with how many were not told."""

from __future__ import annotations

import pytest

from bridge.records import sampling
from bridge.records.sampling import PAUSE_SECONDS, Sampler


def test_the_first_of_a_kind_is_told_and_then_the_last_of_each_minute() -> None:
    sampler = Sampler[str]()
    told = [sampler.tell(kind, f"{kind}{number}", number) for number in range(3) for kind in ("a", "b")]
    assert told == [True, True, False, False, False, False]
    assert list(sampler.overdue(PAUSE_SECONDS - 1)) == []
    assert list(sampler.overdue(PAUSE_SECONDS)) == [("a2", 1), ("b2", 1)]
    assert list(sampler.overdue(PAUSE_SECONDS + 1)) == []


def test_a_kind_that_came_once_is_told_at_once_when_it_comes_again() -> None:
    sampler = Sampler[str]()
    assert sampler.tell("a", "first", 0)
    assert list(sampler.overdue(PAUSE_SECONDS)) == []
    assert sampler.tell("a", "again", PAUSE_SECONDS + 1)


def test_beyond_its_bound_the_kind_that_was_told_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MOST_KINDS", 2)
    sampler = Sampler[str]()
    for kind in ("a", "b", "c"):
        sampler.tell(kind, kind, 0)
    assert [sampler.tell(kind, kind, 1) for kind in ("b", "a")] == [False, True]
