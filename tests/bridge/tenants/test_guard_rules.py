"""Which limits a tenant's guards may have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.tenants.guard_rules import GUARD_NAMES, NO_GUARDS, GuardRules


def test_a_guard_is_known_by_the_name_of_its_limit() -> None:
    assert set(GuardRules.model_fields) - set(GUARD_NAMES) == {"grace_seconds", "watch_minutes"}


def test_without_rules_there_is_no_guard() -> None:
    assert not NO_GUARDS.any
    assert not GuardRules(watch_minutes=5, grace_seconds=1).any
    assert (NO_GUARDS.grace_seconds, NO_GUARDS.watch_minutes) == (120, 10)


@pytest.mark.parametrize("rules", [{"stashed_percent": 0}, {"quiet_days": 0.5}, {"lost_percent": 0}])
def test_one_limit_is_a_guard_though_nothing_may_happen_at_all(rules: dict[str, Any]) -> None:
    assert GuardRules(**rules).any


def test_all_messages_may_be_stashed() -> None:
    assert GuardRules(stashed_percent=100).stashed_percent == 100


@pytest.mark.parametrize(
    "rules",
    [
        {"stashed_percent": -1},
        {"stashed_percent": 101},
        {"quiet_days": 0},
        {"lost_percent": 100.5},
        {"lost_percent": float("nan")},
        {"grace_seconds": -1},
        {"watch_minutes": 0},
        {"watch_minutes": 1_441},
        {"lost_percent": 5, "grace_seconds": 600},
        {"lost_percent": 5, "watch_minutes": 2},
        {"quiet_weeks": 1},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GuardRules(**rules)


def test_a_limit_is_never_altered() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        NO_GUARDS.quiet_days = 1  # type: ignore[misc]


def test_the_guard_that_is_no_more_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(ValidationError, match=r"refusals_per_minute is no guard any more.* use lost_percent"):
        GuardRules.model_validate({"refusals_per_minute": 20})


def test_limits_are_changed_one_by_one() -> None:
    rules = GuardRules(stashed_percent=2, quiet_days=7)
    assert rules.with_limits({"quiet_days": None, "lost_percent": 5}) == GuardRules(stashed_percent=2, lost_percent=5)
    assert rules.with_limits({}) == rules
    with pytest.raises(ValidationError, match="grace_seconds must be less than watch_minutes"):
        rules.with_limits({"lost_percent": 5, "watch_minutes": 1})
