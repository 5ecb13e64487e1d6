"""What each guard says of the facts, at its limit and on either side of it."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.cutover.guards import GuardFacts, judge
from bridge.records.rows import MILLISECONDS_PER_DAY
from bridge.tenants.guard_rules import NO_GUARDS, GuardRules

NOW = 1_790_000_000_000
DAY = MILLISECONDS_PER_DAY


def verdict(facts: GuardFacts, **rules: Any) -> tuple[float | None, bool]:
    (found,) = judge(GuardRules(**rules), facts)
    (name,) = rules
    assert (found.name, found.limit) == (name, rules[name])
    return found.value, found.holds


def test_without_rules_there_is_no_guard() -> None:
    assert judge(NO_GUARDS, GuardFacts(NOW, 10, 10, NOW, 1_000)) == []


@pytest.mark.parametrize(
    ("converted", "stashed", "value", "holds"),
    [(100, 5, 5.0, True), (100, 6, 6.0, False), (1_000, 49, 4.9, True), (3, 3, 100.0, False), (0, 0, None, True)],
)
def test_so_many_percent_may_be_stashed_and_no_more(
    converted: int,
    stashed: int,
    value: float | None,
    holds: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert verdict(GuardFacts(NOW, converted, stashed), stashed_percent=5) == (value, holds)


def test_one_stashed_message_is_too_many_where_none_may_be() -> None:
    assert verdict(GuardFacts(NOW, 100, 1), stashed_percent=0) == (1.0, False)
    assert verdict(GuardFacts(NOW, 100, 0), stashed_percent=0) == (0.0, True)


@pytest.mark.parametrize(("days", "holds"), [(0, False), (6.5, False), (7, True), (30, True)])
def test_v2_must_have_been_quiet_for_so_long(days: float, holds: bool) -> None:  # noqa: FBT001
    facts = GuardFacts(NOW, last_v2_message=NOW - round(days * DAY))
    assert verdict(facts, quiet_days=7) == (days, holds)


def test_v2_that_never_said_anything_is_quiet() -> None:
    assert verdict(GuardFacts(NOW), quiet_days=7) == (None, True)


@pytest.mark.parametrize(("refused", "holds"), [(0, True), (3, True), (4, False)])
def test_so_many_handshakes_a_minute_may_be_refused(refused: int, holds: bool) -> None:  # noqa: FBT001
    assert verdict(GuardFacts(NOW, refused_in_a_minute=refused), refusals_per_minute=3) == (refused, holds)


def test_one_day_is_no_days() -> None:
    (quiet,) = judge(GuardRules(quiet_days=1), GuardFacts(NOW, last_v2_message=NOW - DAY))
    assert quiet.sentence == "The last V2 message was 1 day ago; 1 day must be quiet."


def test_each_guard_says_a_sentence_with_what_was_found_and_what_may_be() -> None:
    rules = GuardRules(stashed_percent=5, quiet_days=7, refusals_per_minute=3)
    facts = GuardFacts(NOW, 8, 1, NOW - 2 * DAY, 9)
    assert [one.as_json() for one in judge(rules, facts)] == [
        {
            "name": "stashed_percent",
            "limit": 5,
            "value": 12.5,
            "holds": False,
            "msg": "12.5 % of what V2 said in the last 2 days was stashed; at most 5 % may be.",
        },
        {
            "name": "quiet_days",
            "limit": 7,
            "value": 2.0,
            "holds": False,
            "msg": "The last V2 message was 2 days ago; 7 days must be quiet.",
        },
        {
            "name": "refusals_per_minute",
            "limit": 3,
            "value": 9,
            "holds": False,
            "msg": "9 known clients were refused within a minute; at most 3 may be.",
        },
    ]


def test_a_percentage_is_judged_before_it_is_rounded() -> None:
    assert not judge(GuardRules(stashed_percent=0), GuardFacts(0, 100_000, 1))[0].holds
