"""What each guard says of the facts, at its limit and on either side of it."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.cutover.guards import GuardFacts, guards_of, judge, report
from bridge.records.rows import MILLISECONDS_PER_DAY
from bridge.tenants.guard_rules import NO_GUARDS, GuardRules
from bridge.tenants.standing import Standing

NOW = 1_790_000_000_000
DAY = MILLISECONDS_PER_DAY


def verdict(facts: GuardFacts, **rules: Any) -> tuple[float | None, bool]:
    (found,) = judge(GuardRules(**rules), facts)
    (name,) = rules
    assert (found.name, found.limit) == (name, rules[name])
    return found.value, found.holds


def test_without_rules_there_is_no_guard() -> None:
    assert judge(NO_GUARDS, GuardFacts(NOW, 10, 10, NOW, 10, 10)) == []


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


@pytest.mark.parametrize(
    ("moved", "lost", "value", "holds"),
    [(0, 0, None, True), (20, 0, 0.0, True), (20, 1, 5.0, True), (20, 2, 10.0, False), (3, 1, 33.33, False)],
)
def test_so_many_percent_of_those_who_are_moved_may_be_lost(
    moved: int,
    lost: int,
    value: float | None,
    holds: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert verdict(GuardFacts(NOW, moved=moved, lost=lost), lost_percent=5) == (value, holds)


def test_one_day_is_no_days() -> None:
    (quiet,) = judge(GuardRules(quiet_days=1), GuardFacts(NOW, last_v2_message=NOW - DAY))
    assert quiet.sentence == "The last V2 message was 1 day ago; 1 day must be quiet before v3."


def test_each_guard_says_a_sentence_with_what_was_found_and_what_may_be() -> None:
    rules = GuardRules(stashed_percent=5, quiet_days=7, lost_percent=5)
    facts = GuardFacts(NOW, 8, 1, NOW - 2 * DAY, 20, 2)
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
            "msg": "The last V2 message was 2 days ago; 7 days must be quiet before v3.",
        },
        {
            "name": "lost_percent",
            "limit": 5,
            "value": 10.0,
            "holds": False,
            "msg": "Of 20 clients that the newest step moved 2 (10 %) knock on V2 again and again; at most 5 % may.",
        },
    ]


def test_a_percentage_is_judged_before_it_is_rounded() -> None:
    assert not judge(GuardRules(stashed_percent=0), GuardFacts(0, 100_000, 1))[0].holds


def test_a_report_has_the_limits_and_what_each_guard_says() -> None:
    rules = GuardRules(lost_percent=5)
    verdicts = judge(rules, GuardFacts(NOW, moved=1, lost=1))
    assert report(rules, verdicts) == {**rules.model_dump(), "verdicts": [verdicts[0].as_json()]}
    assert verdicts[0].sentence.startswith("Of 1 client that the newest step moved 1 (100 %) ")


# Which guard is for which step.

ALL = GuardRules(stashed_percent=5, quiet_days=7, lost_percent=5)
ON_THE_WAY, TO_V3 = ["stashed_percent", "lost_percent"], ["stashed_percent", "quiet_days", "lost_percent"]


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (("legacy", 0), ("bridge", 0), []),
        (("bridge", 0), ("drain", 0), ON_THE_WAY),
        (("drain", 10), ("drain", 10.01), ON_THE_WAY),
        (("drain", 10), ("drain", 9.99), []),
        (("drain", 100), ("v3", 0), TO_V3),
        (("legacy", 0), ("v3", 0), TO_V3),
        (("v3", 0), ("drain", 100), []),
        (("v3", 0), ("v3", 0), []),
    ],
)
def test_each_guard_is_for_its_own_step(before: tuple[Any, int], after: tuple[Any, int], names: list[str]) -> None:
    old, new = Standing(*before, "global"), Standing(*after, "global")
    assert guards_of(ALL, old, new) == names
    assert guards_of(NO_GUARDS, old, new) == []
