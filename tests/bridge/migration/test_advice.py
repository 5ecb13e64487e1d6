"""Which rules are proposed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.migration.advice import command_name, propose
from bridge.migration.ledger import Ledger
from compat.dialect import Dialect, Rule
from legacy_v2.frames import write
from tests.compat.strategies import WORLDS, frames

NO_RULES: dict[str, Rule] = {}


def proposed(*said: dict[str, Any], rules: dict[str, Rule] = NO_RULES) -> dict[str, Rule]:
    """What is proposed for these frames beside the rules that are there."""
    dialect = Dialect(rules)
    ledger = Ledger(dialect)
    for frame in said:
        ledger.add(write(frame))
    return propose(ledger, dialect)


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


@pytest.mark.parametrize(
    ("key", "name"), [("reload", "RELOAD"), ("reloadUi", "RELOAD_UI"), ("re-load now", "RE_LOAD_NOW"), ("é", "é")]
)
def test_a_command_is_named_in_the_way_of_v3(key: str, name: str) -> None:
    assert command_name(key) == name


@settings(max_examples=100)
@given(st.lists(frames, max_size=10))
def test_what_is_proposed_fits_into_the_dialect(said: list[dict[str, Any]]) -> None:
    for world in WORLDS:
        rules = proposed(*said, rules=dict(world.rules))
        assert rules.keys() <= Dialect({**world.rules, **rules}).words
