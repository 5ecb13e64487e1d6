"""Which limits a tenant's guards may have."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from bridge.tenants.guard_rules import NO_GUARDS, GuardName, GuardRules


def test_a_guard_is_known_by_the_name_of_its_limit() -> None:
    assert set(get_args(GuardName)) == set(GuardRules.model_fields)


def test_without_rules_there_is_no_guard() -> None:
    assert not NO_GUARDS.any
    assert not GuardRules().any


@pytest.mark.parametrize("rules", [{"stashed_percent": 0}, {"quiet_days": 0.5}, {"refusals_per_minute": 0}])
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
        {"refusals_per_minute": -1},
        {"refusals_per_minute": 1.5},
        {"quiet_weeks": 1},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GuardRules(**rules)


def test_a_limit_is_never_altered() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        NO_GUARDS.quiet_days = 1  # type: ignore[misc]
