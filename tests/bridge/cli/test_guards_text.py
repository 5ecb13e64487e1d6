"""Limits of guards in words."""

from bridge.cli.guards_text import guards_text, limits_text
from bridge.tenants.guard_rules import NO_GUARDS, GuardRules


def test_only_limits_that_are_set_are_said() -> None:
    assert limits_text(GuardRules(quiet_days=0.5)) == "quiet_days 0.5, grace_seconds 120, watch_minutes 10"


def test_only_what_changed_is_said_of_a_change() -> None:
    changed = guards_text(GuardRules(quiet_days=7), GuardRules(lost_percent=2.5))
    assert changed == "guards: quiet_days 7 -> off, lost_percent off -> 2.5"
    assert guards_text(NO_GUARDS, NO_GUARDS) == "guards: as before"
