import json
from typing import Any

import pytest

from compat.dialect import Dialect, Rule
from compat.identity import Names
from compat.reading import MAX_DEPTH
from compat.upgrade import upgrade, upgrade_text
from tests.compat.strategies import nested
from tests.compat.vectors import vectors
from v3.messages import WS_Message_V3, write

DIALECT = Dialect(
    {
        "reload": Rule(cmd="RELOAD_UI"),
        "blink": Rule(cmd="BLINK"),
        "caption": Rule(field="msg"),
        "kind": Rule(field="msg_type"),
        "scope": Rule(field="target"),
        "whom": Rule(field="to_id"),
        "verb": Rule(field="cmd"),
        "body": Rule(field="payload"),
    }
)


def content(frame: Any, dialect: Dialect = DIALECT) -> Any:
    return upgrade(frame, dialect=dialect).content


@pytest.mark.parametrize(("v2", "v3"), vectors("v2_to_v3"))
def test_a_worked_vector_is_upgraded_as_written(v2: Any, v3: Any) -> None:
    assert upgrade(v2).content == v3
    assert upgrade_text(json.dumps(v2)).content == v3


@pytest.mark.parametrize(
    ("word", "msg_type"),
    [
        *(("msg", "msg"), ("message", "msg"), ("chat", "msg"), ("text", "msg"), ("cmd", "cmd"), ("command", "cmd")),
        *(("heartbeat", "heartbeat"), ("ping", "heartbeat"), ("presence", "presence")),
    ],
)
def test_a_type_word_is_the_message_type(word: str, msg_type: str) -> None:
    assert content({"type": word}) == {"msg_type": msg_type, "target": "group"}


@pytest.mark.parametrize("msg_type", ["msg", "cmd", "heartbeat", "presence"])
def test_msg_type_goes_before_type(msg_type: str) -> None:
    assert content({"type": "chat", "msg_type": msg_type}) == {
        "msg_type": msg_type,
        "target": "group",
        "payload": {"type": "chat"},
    }


@pytest.mark.parametrize("word", ["MSG", "", None, 7, ["msg"], {"msg": 1}, "reload", "ping "])
def test_an_unknown_type_is_payload(word: Any) -> None:
    assert content({"type": word}) == {"msg_type": "msg", "target": "group", "payload": {"type": word}}


@pytest.mark.parametrize("word", ["chat", "message", "ping", "command"])
def test_msg_type_knows_no_other_words_than_the_four(word: str) -> None:
    assert content({"msg_type": word}) == {"msg_type": "msg", "target": "group", "payload": {"msg_type": word}}


def test_a_command_makes_the_type_cmd_unless_a_type_is_said() -> None:
    assert content({"cmd": "RELOAD"}) == {"msg_type": "cmd", "target": "group", "cmd": "RELOAD"}
    assert content({"cmd": "RELOAD", "type": "chat"}) == {"msg_type": "msg", "target": "group", "cmd": "RELOAD"}


@pytest.mark.parametrize("word", ["to_id", "to_client_id", "to", "recipient_id", "whom"])
@pytest.mark.parametrize(
    ("recipient", "to_id"),
    [("dev_1", "dev_1"), (42, "v2-42"), ("42", "v2-42"), (-5, "-5"), (0, "v2-0")],
    ids=repr,
)
def test_a_recipient_makes_the_message_direct(word: str, recipient: Any, to_id: str) -> None:
    assert content({word: recipient}) == {"msg_type": "msg", "target": "direct", "to_id": to_id}


@pytest.mark.parametrize(
    ("recipient", "to_id"),
    [
        pytest.param("a b", "v2-a_20b", id="escaped"),
        pytest.param("v2-a_20b", "v2-v2-a_5f20b", id="escaped as V3 names it"),
        pytest.param("server", "v2-server", id="reserved"),
        pytest.param("nobody-here", "nobody-here", id="unknown"),
        pytest.param("é" * 128, "v2-" + "_c3_a9" * 128, id="longest"),
        pytest.param(10**4299, "v2-1" + "0" * 4299, id="integer of 4300 digits"),
    ],
)
def test_any_v2_id_may_be_a_recipient(recipient: Any, to_id: str) -> None:
    assert content({"to": recipient}) == {"msg_type": "msg", "target": "direct", "to_id": to_id}


@pytest.mark.parametrize("value", ["", "x" * 129, True, False, None, 1.5, ["bob"], {"id": 1}])
def test_what_is_no_recipient_is_payload(value: Any) -> None:
    assert content({"to": value}) == {"msg_type": "msg", "target": "group", "payload": {"to": value}}


def test_the_first_recipient_that_fits_is_taken() -> None:
    frame = {"recipient_id": "c", "to": "b", "to_client_id": "", "to_id": None}
    assert content(frame) == {
        "msg_type": "msg",
        "target": "direct",
        "to_id": "b",
        "payload": {"recipient_id": "c", "to_client_id": "", "to_id": None},
    }


def test_a_mapped_recipient_goes_by_its_vision_id() -> None:
    names = Names({"42": "Xk3dQ", "dev_1": "Ab9"})
    assert upgrade({"to": 42}, names).content["to_id"] == "Xk3dQ"
    assert upgrade({"to": "dev_1"}, names).content["to_id"] == "Ab9"


@pytest.mark.parametrize("target", ["group", "broadcast"])
def test_a_said_target_wins_over_a_recipient_which_is_payload(target: str) -> None:
    assert content({"target": target, "to": "bob"}) == {"msg_type": "msg", "target": target, "payload": {"to": "bob"}}


def test_direct_needs_a_recipient_or_is_payload() -> None:
    assert content({"target": "direct", "to": "bob"}) == {"msg_type": "msg", "target": "direct", "to_id": "bob"}
    assert content({"target": "direct"}) == {"msg_type": "msg", "target": "group", "payload": {"target": "direct"}}


@pytest.mark.parametrize("target", ["echo", "Group", "", None, 1, [], {}])
def test_another_target_is_payload(target: Any) -> None:
    assert content({"target": target}) == {"msg_type": "msg", "target": "group", "payload": {"target": target}}


@pytest.mark.parametrize("word", ["cmd", "command", "verb"])
def test_a_command_is_text(word: str) -> None:
    assert content({word: ""}) == {"msg_type": "cmd", "target": "group", "cmd": ""}
    assert content({word: 7}) == {"msg_type": "msg", "target": "group", "payload": {word: 7}}


@pytest.mark.parametrize("word", ["msg", "message", "text", "caption"])
def test_a_message_is_text(word: str) -> None:
    assert content({word: ""}) == {"msg_type": "msg", "target": "group", "msg": ""}
    assert content({word: None}) == {"msg_type": "msg", "target": "group", "payload": {word: None}}


@pytest.mark.parametrize("word", ["payload", "data", "body"])
def test_an_object_that_carries_the_payload_is_the_payload(word: str) -> None:
    assert content({word: {"a": 1}, "b": 2}) == {"msg_type": "msg", "target": "group", "payload": {"a": 1, "b": 2}}
    assert content({word: {}}) == {"msg_type": "msg", "target": "group", "payload": {}}
    assert content({word: [1]}) == {"msg_type": "msg", "target": "group", "payload": {word: [1]}}


def test_the_second_payload_is_a_member_of_the_first() -> None:
    assert content({"data": {"b": 2}, "payload": {"a": 1}})["payload"] == {"a": 1, "data": {"b": 2}}


def test_an_empty_object_is_an_empty_message() -> None:
    assert content({}) == {"msg_type": "msg", "target": "group"}


@pytest.mark.parametrize("value", [[1, 2], 7, -0.5, None, True, "hi", ""])
def test_another_json_value_is_the_value_of_the_payload(value: Any) -> None:
    """Bad inputs, V2 frames 2."""
    expected = {"msg_type": "msg", "target": "group", "payload": {"value": value}}
    assert upgrade_text(json.dumps(value)).content == expected


@pytest.mark.parametrize("claim", ["client_id", "from_id", "group_id", "sent_at", "version"])
@pytest.mark.parametrize("value", ["boss", 3, None, {"a": 1}])
def test_a_claim_is_kept_and_not_believed(claim: str, value: Any) -> None:
    """Bad inputs, V2 frames 3."""
    upgraded = upgrade({"msg": "hi", claim: value})
    assert upgraded.content == {"msg_type": "msg", "target": "group", "msg": "hi", "payload": {"_v2": {claim: value}}}
    assert upgraded.outcome == "stashed"
    heard = WS_Message_V3.model_validate_json(write(upgraded.content, "true_id", "true_group", "now"))
    assert (heard.from_id, heard.group_id, heard.sent_at, heard.version) == ("true_id", "true_group", "now", "3")


def test_a_claim_inside_the_payload_is_payload() -> None:
    upgraded = upgrade({"payload": {"from_id": "boss"}})
    assert upgraded.content["payload"] == {"from_id": "boss"}
    assert upgraded.outcome == "exact"


@pytest.mark.parametrize(
    ("frame", "payload", "outcome"),
    [
        pytest.param({"_v2": 1}, {"_v2": 1}, "exact", id="alone"),
        pytest.param({"payload": {"_v2": 1}}, {"_v2": 1}, "exact", id="alone in the payload"),
        pytest.param({"_v2": 1, "from_id": 2}, {"_v2": {"from_id": 2, "_v2": 1}}, "stashed", id="beside a claim"),
        pytest.param(
            {"payload": {"_v2": 1, "a": 3}, "from_id": 2},
            {"a": 3, "_v2": {"from_id": 2, "_v2": 1}},
            "stashed",
            id="in the payload, beside a claim",
        ),
        pytest.param(
            {"payload": {"_v2": 1, "a": 3}, "_v2": 2},
            {"_v2": {"payload": {"_v2": 1, "a": 3}, "_v2": 2}},
            "stashed",
            id="claimed twice",
        ),
        pytest.param(
            {"data": {"_v2": 1, "value": 5}, "_v2": 2, "version": 9, "reload": 7},
            {"value": 7, "_v2": {"data": {"_v2": 1, "value": 5}, "_v2": 2, "version": 9}},
            "stashed",
            id="claimed twice, beside everything",
        ),
    ],
)
def test_the_stash_keeps_a_v2_that_was_there(frame: dict[str, Any], payload: dict[str, Any], outcome: str) -> None:
    upgraded = upgrade(frame, dialect=DIALECT)
    assert (upgraded.content["payload"], upgraded.outcome) == (payload, outcome)


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        pytest.param('{"_v2":{"_v2":1}}', {"_v2": {"_v2": 1}}, id="_v2"),
        pytest.param('{"payload":"text"}', {"payload": "text"}, id="payload that is no object"),
        pytest.param('{"payload":{"payload":{}}}', {"payload": {}}, id="payload in payload"),
        pytest.param('{"__proto__":{"a":1}}', {"__proto__": {"a": 1}}, id="__proto__"),
        pytest.param('{"":0}', {"": 0}, id="the empty key"),
        pytest.param('{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}, id="a key twice"),
    ],
)
def test_an_odd_key_is_payload(text: str, payload: dict[str, Any]) -> None:
    """Bad inputs, V2 frames 4."""
    assert upgrade_text(text).content == {"msg_type": "msg", "target": "group", "payload": payload}


@pytest.mark.parametrize(
    "text",
    [
        *("hello", "", " ", '{"msg":"hi"', "{'msg':'hi'}", '{"msg":"hi"} x', "\ufeff{}", "[1,]", "01", "\x00"),
        *('{"a":NaN}', "Infinity", '{"a":[-Infinity]}', '{"a":1e400}', "-1E+999", "1e0400", "1.5e309"),
        *(f'{{"a":{"9" * 310}.0}}', f'{{"a":1{"0" * 215}e99}}', f'{{"a":[-1{"0" * 300}E9]}}'),
        *(r'{"a":"\ud800"}', r'{"\udc00":1}', r'"\ud83d\ud83d"', r'{"a":"\x41"}', '{"a":"\n"}'),
    ],
)
def test_what_is_no_strict_json_is_the_message_text(text: str) -> None:
    """Bad inputs, V2 frames 1."""
    assert upgrade_text(text).content == {"msg_type": "msg", "target": "group", "msg": text}
    assert upgrade_text(text).outcome == "exact"


@pytest.mark.parametrize(
    "text",
    [
        *("9" * 4301, '{"a":[%s]}' % ("9" * 5000)),
        *("[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33, '{"payload":' + "[" * 33 + "]" * 33 + "}"),
        "[" * 5000 + "]" * 5000,
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
    ids=lambda text: f"{text[:12]}({len(text)})",
)
def test_what_is_too_deep_or_too_long_a_number_is_the_message_text(text: str) -> None:
    """Bad inputs, V2 frames 5."""
    assert upgrade_text(text).content == {"msg_type": "msg", "target": "group", "msg": text}


@pytest.mark.parametrize(
    "value",
    [10**4299, -(10**4299), 10**308, 1.7976931348623157e308],
    ids=["4300 digits", "4300 digits, negative", "309 digits", "the largest double"],
)
def test_the_largest_numbers_are_numbers(value: float) -> None:
    assert upgrade_text(f'{{"a":{value}}}').content["payload"] == {"a": value}


def test_the_deepest_frame_is_read_and_the_stash_holds_its_deepest_member() -> None:
    deepest = nested(MAX_DEPTH - 1, 0, ("a", "b"))
    text = json.dumps({"a": deepest, "version": deepest})
    assert upgrade_text(text).content["payload"] == {"a": deepest, "_v2": {"version": deepest}}


@pytest.mark.parametrize("value", [None, 5, {"a": 1}, "x"])
def test_a_dialect_word_is_its_command_and_brings_its_value(value: Any) -> None:
    expected = {"msg_type": "cmd", "target": "group", "cmd": "RELOAD_UI", "payload": {"value": value, "b": 1}}
    assert content({"reload": value, "b": 1}) == expected


def test_the_standard_command_wins_over_the_dialect() -> None:
    assert content({"reload": 1, "cmd": "STOP"}) == {
        "msg_type": "cmd",
        "target": "group",
        "cmd": "STOP",
        "payload": {"reload": 1},
    }


def test_of_two_dialect_commands_the_first_declared_is_said() -> None:
    assert content({"blink": 1, "reload": 2}) == {
        "msg_type": "cmd",
        "target": "group",
        "cmd": "RELOAD_UI",
        "payload": {"value": 2, "blink": 1},
    }


def test_a_dialect_command_whose_place_is_taken_goes_to_the_stash_and_is_still_said() -> None:
    upgraded = upgrade({"reload": 1, "payload": {"value": 2}}, dialect=DIALECT)
    assert upgraded.content == {
        "msg_type": "cmd",
        "target": "group",
        "cmd": "RELOAD_UI",
        "payload": {"value": 2, "_v2": {"reload": 1}},
    }
    assert upgraded.outcome == "stashed"


def test_the_dialect_word_takes_the_value_before_a_member_called_so() -> None:
    assert content({"value": 1, "reload": 2})["payload"] == {"value": 2, "_v2": {"value": 1}}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"caption": "a"}, {"msg_type": "msg", "target": "group", "msg": "a"}),
        ({"caption": "a", "msg": "b"}, {"msg_type": "msg", "target": "group", "msg": "b", "payload": {"caption": "a"}}),
        ({"kind": "ping"}, {"msg_type": "heartbeat", "target": "group"}),
        ({"kind": "ping", "type": "chat"}, {"msg_type": "msg", "target": "group", "payload": {"kind": "ping"}}),
        ({"scope": "broadcast"}, {"msg_type": "msg", "target": "broadcast"}),
        ({"body": {"a": 1}, "data": {}}, {"msg_type": "msg", "target": "group", "payload": {"body": {"a": 1}}}),
    ],
)
def test_a_renamed_field_is_read_after_the_standard_words(frame: dict[str, Any], expected: dict[str, Any]) -> None:
    assert content(frame) == expected


def test_a_word_of_another_tenants_dialect_means_nothing() -> None:
    assert upgrade({"reload": 1, "caption": "a"}).content["payload"] == {"reload": 1, "caption": "a"}


def test_the_frame_itself_is_left_as_it_was() -> None:
    frame = {"payload": {"a": 1}, "b": 2, "from_id": 3}
    upgrade(frame)
    assert frame == {"payload": {"a": 1}, "b": 2, "from_id": 3}


@pytest.mark.parametrize(
    ("frame", "content"),
    [
        (
            {"type": "presence", "cmd": "LEAVE", "client_id": "alice"},
            {"payload": {"_v2": {"cmd": "LEAVE", "client_id": "alice"}}},
        ),
        ({"type": "presence", "command": "JOIN"}, {"payload": {"_v2": {"command": "JOIN"}}}),
        ({"type": "presence", "cmd": "JOIN", "command": "GO"}, {"cmd": "GO", "payload": {"_v2": {"cmd": "JOIN"}}}),
        ({"type": "presence", "cmd": "join"}, {"cmd": "join"}),
        ({"type": "presence", "gone": 1}, {"payload": {"gone": 1}}),
        ({"type": "presence", "cmd": ["JOIN"]}, {"payload": {"cmd": ["JOIN"]}}),
    ],
)
def test_nobody_says_who_came_or_went_for_the_server(frame: dict[str, Any], content: dict[str, Any]) -> None:
    dialect = Dialect({"gone": Rule(cmd="LEAVE")})
    assert upgrade(frame, dialect=dialect).content == {"msg_type": "presence", "target": "group", **content}


def test_a_message_may_say_so_that_is_no_presence() -> None:
    assert upgrade({"cmd": "JOIN"}).content == {"msg_type": "cmd", "target": "group", "cmd": "JOIN"}


def test_a_frame_with_too_much_structure_is_text_for_whom_it_names() -> None:
    text = '{"rows":[' + "1," * 20_000 + '1],"to":42}'
    assert upgrade_text(text).content == {"msg_type": "msg", "target": "direct", "to_id": "v2-42", "msg": text}
    text = '{"rows":[' + "1," * 20_000 + '1],"target":"broadcast"}'
    assert upgrade_text(text).content == {"msg_type": "msg", "target": "broadcast", "msg": text}
