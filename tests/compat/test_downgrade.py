from typing import Any, cast

import pytest

from compat.dialect import STANDARD, Dialect, Rule
from compat.downgrade import downgrade, hear, is_spoken
from compat.identity import PLAIN_NAMES, Names
from tests.compat.strategies import RESPELLED
from tests.compat.vectors import vectors
from v3.messages import Content

RELOAD = Dialect({"reload": Rule(cmd="RELOAD_UI")})


def said(**fields: Any) -> Content:
    return cast(Content, {"msg_type": "cmd", "target": "group", **fields})


@pytest.mark.parametrize(("v2", "v3"), vectors("v3_to_v2"))
def test_a_worked_vector_is_downgraded_as_written(v2: Any, v3: Any) -> None:
    assert downgrade(v3) == v2


@pytest.mark.parametrize(
    "word",
    [
        *("msg_type", "type", "target", "to_id", "to_client_id", "to", "recipient_id", "cmd", "command"),
        *("msg", "message", "text", "payload", "data", "_v2", "bridge"),
        *("client_id", "from_id", "group_id", "sent_at", "version", "reload"),
    ],
)
def test_a_payload_with_a_word_that_has_a_meaning_stays_whole(word: str) -> None:
    payload = {"a": 1, word: None}
    assert downgrade(said(payload=payload), dialect=RELOAD) == {"type": "cmd", "payload": payload}


def test_an_empty_payload_stays_whole() -> None:
    assert downgrade(said(payload={})) == {"type": "cmd", "payload": {}}


@pytest.mark.parametrize("word", ["", "value", "id", "Msg", "__proto__", "reload"])
def test_a_payload_of_plain_words_moves_to_the_top(word: str) -> None:
    assert downgrade(said(payload={word: 1, "b": 2})) == {"type": "cmd", word: 1, "b": 2}


@pytest.mark.parametrize(
    ("to_id", "v2_id"), [("dev_1", "dev_1"), ("v2-42", 42), ("v2-a_20b", "a b"), ("v2-007", "007")]
)
def test_a_recipient_is_called_as_v2_calls_it(to_id: str, v2_id: Any) -> None:
    assert downgrade(said(target="direct", to_id=to_id)) == {"type": "cmd", "to_id": v2_id}


def test_a_mapped_recipient_is_called_by_its_v2_id() -> None:
    names = Names({"42": "Xk3dQ", "dev_1": "Ab9"})
    assert downgrade(said(target="direct", to_id="Xk3dQ"), names) == {"type": "cmd", "to_id": 42}
    assert downgrade(said(target="direct", to_id="Ab9"), names) == {"type": "cmd", "to_id": "dev_1"}


def test_a_command_of_the_dialect_is_said_as_its_word() -> None:
    assert downgrade(said(cmd="RELOAD_UI", payload={"value": None}), dialect=RELOAD) == {"type": "cmd", "reload": None}
    assert downgrade(said(cmd="RELOAD_UI", payload={"value": 5, "b": 1}), dialect=RELOAD) == {
        "type": "cmd",
        "reload": 5,
        "b": 1,
    }


@pytest.mark.parametrize("payload", [None, {}, {"b": 1}, {"value": 1, "to": 2}, {"value": 1, "reload": 2}])
def test_a_command_without_a_plain_value_is_said_in_the_standard_words(payload: dict[str, Any] | None) -> None:
    content = said(cmd="RELOAD_UI") if payload is None else said(cmd="RELOAD_UI", payload=payload)
    assert downgrade(content, dialect=RELOAD)["cmd"] == "RELOAD_UI"
    assert "reload" not in downgrade(content, dialect=RELOAD)


def test_a_rule_that_does_not_speak_is_never_said() -> None:
    silent = Dialect({"reload": Rule(cmd="RELOAD_UI", speak=False), "caption": Rule(field="msg", speak=False)})
    content = said(cmd="RELOAD_UI", msg="now", payload={"value": 5})
    assert downgrade(content, dialect=silent) == {"type": "cmd", "cmd": "RELOAD_UI", "msg": "now", "value": 5}


def test_every_field_may_have_another_name() -> None:
    content = said(target="direct", to_id="bob", cmd="RELOAD", msg="now", payload={"to": 1})
    expected = {"kind": "cmd", "whom": "bob", "verb": "RELOAD", "caption": "now", "body": {"to": 1}}
    assert downgrade(content, dialect=Dialect(RESPELLED)) == expected
    broadcast = said(target="broadcast")
    assert downgrade(broadcast, dialect=Dialect(RESPELLED)) == {"kind": "cmd", "scope": "broadcast"}


def test_a_listener_hears_who_said_it_where_and_when() -> None:
    names = Names({"42": "Xk3dQ"})
    assert hear(said(cmd="STOP"), "Xk3dQ", "v2-a_20b", "2026-01-01T00:00:00.000000Z", names, STANDARD) == {
        "type": "cmd",
        "cmd": "STOP",
        "client_id": 42,
        "group_id": "a b",
        "sent_at": "2026-01-01T00:00:00.000000Z",
    }


def test_a_payload_cannot_say_who_spoke() -> None:
    content = said(payload={"client_id": "boss", "sent_at": "never"})
    frame = hear(content, "bob", "lobby", "now", PLAIN_NAMES, STANDARD)
    assert (frame["client_id"], frame["sent_at"]) == ("bob", "now")
    assert frame["payload"] == {"client_id": "boss", "sent_at": "never"}


@pytest.mark.parametrize("msg_type", ["msg", "cmd", "heartbeat", "presence"])
@pytest.mark.parametrize("target", ["group", "direct", "broadcast", "echo"])
def test_v2_has_a_word_for_messages_and_commands_to_others_alone(msg_type: str, target: str) -> None:
    content = said(msg_type=msg_type, target=target)
    assert is_spoken(content) == (msg_type in ("msg", "cmd") and target != "echo")


def test_the_content_itself_is_left_as_it_was() -> None:
    content = said(cmd="RELOAD_UI", payload={"value": 5})
    hear(content, "bob", "lobby", "now", PLAIN_NAMES, RELOAD)
    assert content == said(cmd="RELOAD_UI", payload={"value": 5})
