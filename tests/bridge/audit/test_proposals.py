"""Which rules are proposed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audit.key_usage import Ledger
from bridge.audit.proposals import propose
from compat.dialect import STANDARD, Dialect, Rule
from legacy_v2.frames import write
from tests.compat.strategies import WORLDS, frames

NO_RULES: dict[str, Rule] = {}


def counted(*said: dict[str, Any], dialect: Dialect = STANDARD) -> Ledger:
    """A ledger of these frames."""
    ledger = Ledger(dialect)
    for frame in said:
        ledger.add(write(frame))
    return ledger


def proposed(*said: dict[str, Any], rules: dict[str, Rule] = NO_RULES) -> dict[str, Rule]:
    """What is proposed for these frames beside the rules that are there."""
    dialect = Dialect(rules)
    return propose(counted(*said, dialect=dialect), dialect)


def colliding(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """A frame that says something twice, in a key and in the payload."""
    return {name: value, "payload": {name: 2}, **more}


said_twice = st.builds(
    lambda name, value, more, placed: {**more, name: value, "payload": {**placed, name: 2}},
    st.sampled_from(("colour", "Colour", "caption", "action", "value", "reload", "kind", "")),
    st.sampled_from((1, None, "red", "dark red", {"a": [1]})),
    st.dictionaries(st.sampled_from(("msg", "cmd", "type", "_v2", "client_id")), st.sampled_from(("PAINT", "ping", 7))),
    st.dictionaries(st.sampled_from(("value", "_v2", "a")), st.sampled_from(("x", 7))),
)
"""Frames with one key beside the standard words, which the payload has too."""


@pytest.mark.parametrize("value", [True, 1, None, "now", {"hard": True}])
def test_a_key_that_its_frames_are_about_is_a_command(value: Any) -> None:
    assert proposed({"reload": value}) == {"reload": Rule(cmd="RELOAD")}


def test_a_flag_beside_data_is_a_command() -> None:
    assert proposed({"reload": True, "page": 3}) == {"reload": Rule(cmd="RELOAD")}


def test_a_sentence_alone_is_another_spelling_of_msg() -> None:
    assert proposed({"headline": "hello all"}) == {"headline": Rule(field="msg")}


@pytest.mark.parametrize(
    ("frame", "field"),
    [({"caption": "x"}, "msg"), ({"action": "go", "page": 1}, "cmd"), ({"toUser": 7, "msg": "hi"}, "to_id")],
)
def test_some_names_say_what_they_mean(frame: dict[str, Any], field: str) -> None:
    assert Rule(field=field) in proposed(frame).values()


@pytest.mark.parametrize("frame", [{"msg": "hi", "page": 1}, {"x": 1, "y": 2}, {"action": 7, "x": 1}, {"": True}])
def test_data_needs_no_rule(frame: dict[str, Any]) -> None:
    assert not proposed(frame)


def test_a_key_that_is_mostly_data_needs_no_rule() -> None:
    assert not proposed({"page": 1}, *({"page": 1, "msg": "hi"} for _ in range(9)))


def test_what_v2_already_says_in_its_own_word_is_understood_and_not_spoken() -> None:
    assert proposed({"caption": "x"}, {"msg": "hi"}) == {"caption": Rule(field="msg", speak=False)}


def test_one_meaning_is_spoken_once_by_the_more_frequent_key() -> None:
    said: list[dict[str, Any]] = [
        {"caption": "x"},
        {"caption": "x"},
        {"body": "x"},
        {"goNow": 1},
        {"go_now": 1},
        {"go_now": 1},
    ]
    rules = proposed(*said)
    assert (rules["caption"].speak, rules["body"].speak) == (True, False)
    assert (rules["go_now"].speak, rules["goNow"].speak) == (True, False)


def test_what_the_dialect_already_speaks_is_not_spoken_anew() -> None:
    rules = {"blink": Rule(cmd="FLASH"), "title": Rule(field="msg")}
    assert proposed({"flash": True}, {"caption": "x"}, rules=rules) == {
        "flash": Rule(cmd="FLASH", speak=False),
        "caption": Rule(field="msg", speak=False),
    }


def test_a_key_whose_place_is_taken_is_a_command() -> None:
    assert proposed(colliding("colour", 1, msg="hi")) == {"colour": Rule(cmd="COLOUR")}


def test_a_text_whose_place_is_taken_where_a_command_is_given_is_another_spelling_of_msg() -> None:
    assert proposed(colliding("colour", "red", cmd="PAINT")) == {"colour": Rule(field="msg")}


def test_of_two_rules_the_one_that_makes_more_frames_exact_is_proposed() -> None:
    said = [colliding("colour", "red", cmd="PAINT"), colliding("colour", "red", msg="hi")]
    assert proposed(*said, said[0])["colour"].field == "msg"
    assert proposed(*said, said[1])["colour"].cmd == "COLOUR"
    assert proposed(*said)["colour"].cmd == "COLOUR"


def test_what_no_rule_mends_is_given_none() -> None:
    assert not proposed(colliding("colour", 1, cmd="PAINT"), colliding("", 1), {"client_id": 1})


@pytest.mark.parametrize(
    "said",
    [
        [{"refresh": "s", "payload": {"value": 1}}],
        [{"kind": True, "value": 3}],
        [{"value": 3, "reload": {"z": 1}}, {"value": 42, "reload": True}, {"data": {"reload": 1}, "reload": "s"}],
        [{"value": 3, "reload": {"z": 1}}, {"data": {"reload": 1}, "reload": "s"}],
    ],
    ids=["in the payload", "beside it", "more than it mends", "as many as it mends"],
)
def test_a_command_whose_value_would_find_its_place_taken_is_not_proposed(said: list[dict[str, Any]]) -> None:
    assert proposed(*said) == {}


def test_a_rule_that_a_key_wants_anyway_is_not_replaced() -> None:
    assert proposed(colliding("colour", 1), {"colour": 1}) == {"colour": Rule(cmd="COLOUR")}
    assert proposed(colliding("caption", "x", msg="hi")) == {"caption": Rule(field="msg", speak=False)}


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(said_twice, max_size=10))
def test_a_rule_makes_as_many_stashed_frames_exact_as_it_is_said_to(said: list[dict[str, Any]]) -> None:
    for world in WORLDS:
        before = counted(*said, dialect=world.dialect)
        rules = propose(before, world.dialect)
        after = counted(*said, dialect=Dialect({**world.rules, **rules}))
        mended = sum(before.keys[name].mended[rule.meaning] for name, rule in rules.items())
        assert after.outcomes["stashed"] <= before.outcomes["stashed"] - mended
        assert rules.keys() >= {name for name, key in before.keys.items() if key.mended}


@given(st.lists(frames, max_size=10))
def test_what_is_proposed_fits_into_the_dialect(said: list[dict[str, Any]]) -> None:
    for world in WORLDS:
        rules = proposed(*said, rules=dict(world.rules))
        assert rules.keys() <= Dialect({**world.rules, **rules}).words
