from typing import Any

import pytest
from pydantic import ValidationError

from compat.dialect import STANDARD, Dialect, Rule
from compat.downgrade import downgrade
from compat.upgrade import upgrade
from v3.messages import Content

STANDARD_WORDS = (
    *("msg_type", "type", "target", "to_id", "to_client_id", "to", "recipient_id", "cmd", "command"),
    *("msg", "message", "text", "payload", "data", "_v2", "bridge"),
    *("client_id", "from_id", "group_id", "sent_at", "version"),
)


@pytest.mark.parametrize("table", [{"cmd": "A"}, {"field": "msg"}, {"cmd": "", "speak": False}])
def test_a_rule_means_a_command_or_a_field(table: dict[str, Any]) -> None:
    assert Rule.model_validate(table).model_dump(exclude_none=True, exclude_defaults=True) == table


@pytest.mark.parametrize(
    "table",
    [
        *({}, {"cmd": "A", "field": "msg"}, {"speak": True}, {"field": "version"}, {"field": "from_id"}, {"field": ""}),
        *({"cmd": "A", "sing": True}, {"cmd": 7}, {"cmd": ["A"]}),
    ],
)
def test_another_rule_is_a_configuration_error(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(table)


@pytest.mark.parametrize("word", ["", *STANDARD_WORDS])
def test_a_word_of_v2_cannot_be_given_another_meaning(word: str) -> None:
    with pytest.raises(ValueError, match=rf"^dialect\.{word}: .*choose a proprietary key$"):
        Dialect({word: Rule(cmd="A")})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Rule(cmd="A"), Rule(cmd="A")),
        (Rule(cmd=""), Rule(cmd="")),
        (Rule(field="msg"), Rule(field="msg")),
        (Rule(field="payload"), Rule(field="payload")),
    ],
)
def test_two_words_that_would_both_be_said_for_one_thing_collide(one: Rule, other: Rule) -> None:
    with pytest.raises(ValueError, match=r"dialect\.b and dialect\.a .*speak = false"):
        Dialect({"a": one, "b": other})


def test_two_words_for_one_thing_do_not_collide_where_one_is_never_said() -> None:
    dialect = Dialect({"a": Rule(cmd="A", speak=False), "b": Rule(cmd="A"), "c": Rule(cmd="A", speak=False)})
    for word in ("a", "b", "c"):
        assert upgrade({word: 1}, dialect=dialect).content["cmd"] == "A"
    content: Content = {"msg_type": "cmd", "target": "group", "cmd": "A", "payload": {"value": 1}}
    assert downgrade(content, dialect=dialect) == {"type": "cmd", "b": 1}


def test_a_command_and_a_field_of_one_name_do_not_collide() -> None:
    dialect = Dialect({"a": Rule(cmd="msg"), "b": Rule(field="msg")})
    assert upgrade({"a": 1, "b": "x"}, dialect=dialect).content == {
        "msg_type": "cmd",
        "target": "group",
        "cmd": "msg",
        "msg": "x",
        "payload": {"value": 1},
    }


def test_a_dialect_keeps_its_rules_as_they_were_then() -> None:
    rules = {"a": Rule(cmd="A", speak=False), "b": Rule(field="msg")}
    dialect = Dialect(rules)
    rules.clear()
    assert dialect.rules == {"a": Rule(cmd="A", speak=False), "b": Rule(field="msg")}
    assert [rule.meaning for rule in dialect.rules.values()] == [("A", None), (None, "msg")]


def test_the_standard_dialect_has_no_words_of_its_own() -> None:
    assert STANDARD.words == set(STANDARD_WORDS)
    assert not STANDARD.commands
