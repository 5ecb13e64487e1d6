"""The limits of a tenant's guards, as they are configured."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.tenants.guard_rules import NO_GUARDS, GuardRules


def test_without_a_limit_there_is_no_guard() -> None:
    assert GuardRules() == NO_GUARDS
    assert not NO_GUARDS.any


@pytest.mark.parametrize("limit", [{"stashed_percent": 0}, {"quiet_days": 0.5}, {"refusals_per_minute": 0}])
def test_one_limit_is_a_guard(limit: dict[str, Any]) -> None:
    assert GuardRules(**limit).any


@pytest.mark.parametrize(
    "limit",
    [{"stashed_percent": -1}, {"stashed_percent": 101}, {"quiet_days": 0}, {"refusals_per_minute": -1}, {"other": 1}],
)
def test_a_limit_that_makes_no_sense_is_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GuardRules(**limit)
