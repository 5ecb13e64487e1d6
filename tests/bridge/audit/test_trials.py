"""Which rules are tried on a stashed frame, and which of them help."""

from typing import Any

import pytest

from bridge.audit.trials import Remedies, command_name, remedies
from compat.dialect import STANDARD, Dialect, Rule

COMMAND, TEXT = ("COLOUR", None), (None, "msg")


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, [COMMAND, TEXT]),
        ({"msg": "hi"}, [COMMAND]),
        ({"cmd": "PAINT"}, [TEXT]),
        ({"cmd": "PAINT", "msg": "hi"}, []),
        ({"colour": 7}, [COMMAND]),
        ({"payload": {"colour": 2, "value": 3}}, [TEXT]),
        ({"client_id": 1}, []),
    ],
)
def test_a_rule_helps_where_the_key_has_a_place_of_its_own_then(more: dict[str, Any], found: list[Any]) -> None:
    assert Remedies(STANDARD).of({"colour": "red", "payload": {"colour": 2}, **more}, "colour") == found


def test_a_rule_is_tried_beside_those_that_the_dialect_has() -> None:
    frame = {"colour": 1, "reload": 1, "payload": {"colour": 2}}
    assert Remedies(STANDARD).of(frame, "colour") == [COMMAND]
    assert Remedies(Dialect({"reload": Rule(cmd="RELOAD")})).of(frame, "colour") == []


def test_a_meaning_that_the_dialect_already_says_can_be_tried() -> None:
    dialect = Dialect({"paint": Rule(cmd="COLOUR"), "caption": Rule(field="msg")})
    assert Remedies(dialect).of({"colour": "red", "payload": {"colour": 2}}, "colour") == [COMMAND, TEXT]


def test_no_rule_can_be_given_to_the_empty_key() -> None:
    assert remedies("") == []
    assert Remedies(STANDARD).of({"": 1, "payload": {"": 2}}, "") == []


@pytest.mark.parametrize(
    ("key", "name"), [("reload", "RELOAD"), ("reloadUi", "RELOAD_UI"), ("re-load now", "RE_LOAD_NOW"), ("é", "é")]
)
def test_a_command_is_named_in_the_way_of_v3(key: str, name: str) -> None:
    assert command_name(key) == name
