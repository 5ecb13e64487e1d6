"""What a client sends, as it is parsed and refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compat.strategies import nested, together
from tests.v3.ports import fields
from tests.v3.texts import misspelt, numerical, texts
from v3.messages import Content, Unreadable, content_of, write
from v3.said import MAX_ECHO_CHARACTERS, MAX_PAYLOAD_DEPTH, MAX_PROBLEMS, check_event, read_content, read_said

GROUP = '{"msg_type":"msg","target":"group"%s}'


def with_field(name: str, value: Any) -> str:
    return json.dumps({"msg_type": "msg", "target": "group", name: value})


def refused(text: str) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read_said(text)
    return caught.value


@pytest.mark.parametrize("msg_type", ["msg", "cmd", "heartbeat", "presence"])
@pytest.mark.parametrize("target", ["group", "broadcast", "echo"])
def test_a_type_and_a_target_are_a_message(msg_type: str, target: str) -> None:
    said = {"msg_type": msg_type, "target": target}
    assert content_of(read_said(json.dumps(said))) == said


def test_a_direct_message_has_a_recipient() -> None:
    said = {"msg_type": "msg", "target": "direct", "to_id": "bob", "cmd": "", "msg": "", "payload": {}}
    assert content_of(read_said(json.dumps(said))) == said


@pytest.mark.parametrize("name", ["to_id", "cmd", "msg", "payload"])
def test_null_means_not_set(name: str) -> None:
    assert content_of(read_said(with_field(name, None))) == {"msg_type": "msg", "target": "group"}


@pytest.mark.parametrize("name", ["from_id", "group_id", "sent_at"])
@pytest.mark.parametrize("value", ["boss", 7, None, True, [1], {"a": {}}, 1.5], ids=repr)
def test_anything_may_stand_in_a_field_of_the_servers_and_is_discarded(name: str, value: Any) -> None:
    """Bad inputs, V3 frames 5."""
    content = content_of(read_said(with_field(name, value)))
    assert content == {"msg_type": "msg", "target": "group"}
    heard = json.loads(write(content, "true_id", "true_group", "2026-01-01T00:00:00.000000Z"))
    assert (heard["from_id"], heard["group_id"]) == ("true_id", "true_group")
    assert heard["sent_at"] == "2026-01-01T00:00:00.000000Z"


def test_a_client_may_say_version_3_and_no_other() -> None:
    assert read_said(with_field("version", "3"))["version"] == "3"
    for version in ("2", "3.0", "", 3, 3.0, None, True, ["3"]):
        assert fields(refused(with_field("version", version))) == ["version"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hello",
            "",
            " ",
            "{",
            GROUP % "" + " x",
            GROUP % "" + "{}",
            GROUP % ",",
            "\ufeff" + GROUP % "",
            "'x'",
            "\x00",
        ),
        *(GROUP % ',"payload":{"a":NaN}', GROUP % ',"payload":{"a":[-Infinity]}', GROUP % ',"payload":{"a":1e400}'),
        *(GROUP % ',"from_id":NaN', GROUP % ',"sent_at":[1e400]', GROUP % ',"group_id":{"a":Infinity}'),
        *(GROUP % ',"msg":NaN', GROUP % ',"color":1e400', "[NaN]", "-Infinity", "1e400", GROUP % ',"msg":-1E0999'),
        *(GROUP % f',"payload":{{"a":1{"0" * 215}e99}}', GROUP % f',"payload":{{"a":{"9" * 310}.5}}'),
        '{"msg_type":"msg","target":"direct","payload":{"a":1e400}}',
        *(GROUP % r',"msg":"\ud800"', GROUP % r',"payload":{"\udfff":1}', r'"\ud83d"', GROUP % ',"msg":"\n"'),
        GROUP % f',"payload":{{"a":{"9" * 5000}}}',
    ],
)
def test_what_is_no_json_is_refused_as_invalid_json(text: str) -> None:
    """Bad inputs, V3 frames 1."""
    unreadable = refused(text)
    assert unreadable.code == "invalid_json"
    assert all(problem["problem"] for problem in unreadable.problems)


@pytest.mark.parametrize("text", ["NaN of Infinity", "1e400", "1e+308", "-Infinity"])
def test_a_text_about_numbers_is_a_text(text: str) -> None:
    assert read_said(with_field("msg", text))["msg"] == text
    assert read_said(with_field("payload", {text: text}))["payload"] == {text: text}


@pytest.mark.parametrize("number", [1.7976931348623157e308, 10**308, 10**4299, -1e-400, 5e-324])
def test_the_largest_numbers_are_numbers(number: float) -> None:
    assert read_said(with_field("payload", {"a": number}))["payload"] == {"a": number}


@pytest.mark.parametrize("text", ["[]", '"x"', "7", "null", "true", "[{}]", "[[[[]]]]"])
def test_json_that_is_no_object_is_no_message(text: str) -> None:
    """Bad inputs, V3 frames 2."""
    assert fields(refused(text)) == [""]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        pytest.param({"msg_type": "msg", "target": "group", "color": "red"}, ["color"], id="unknown field"),
        pytest.param({"msg_type": "msg", "target": "group", "Msg": "x"}, ["Msg"], id="wrong case of a field"),
        pytest.param({"msg_type": "chat", "target": "group"}, ["msg_type"], id="unknown type"),
        pytest.param({"msg_type": "MSG", "target": "group"}, ["msg_type"], id="wrong case of a type"),
        pytest.param({"msg_type": "msg", "target": "all"}, ["target"], id="unknown target"),
        pytest.param({"msg_type": "msg", "target": "Group"}, ["target"], id="wrong case of a target"),
        pytest.param({"msg_type": "msg"}, ["target"], id="no target"),
        pytest.param({"target": "group"}, ["msg_type"], id="no type"),
        pytest.param({}, ["msg_type", "target"], id="nothing"),
        pytest.param({"msg_type": None, "target": None}, ["msg_type", "target"], id="null"),
        pytest.param({"msg_type": 1, "target": ["group"]}, ["msg_type", "target"], id="wrong kinds"),
        pytest.param({"msg_type": "msg", "target": "direct", "to_id": 42}, ["to_id"], id="recipient as a number"),
        pytest.param({"msg_type": "msg", "target": "group", "msg": 7}, ["msg"], id="number as text"),
        pytest.param({"msg_type": "msg", "target": "group", "msg": True}, ["msg"], id="bool as text"),
        pytest.param({"msg_type": "msg", "target": "group", "msg": ["a"]}, ["msg"], id="list as text"),
        pytest.param({"msg_type": "cmd", "target": "group", "cmd": 7}, ["cmd"], id="number as command"),
        pytest.param({"msg_type": "msg", "target": "group", "payload": []}, ["payload"], id="list as payload"),
        pytest.param({"msg_type": "msg", "target": "group", "payload": "a"}, ["payload"], id="text as payload"),
        pytest.param({"msg_type": "msg", "target": "group", "payload": 0}, ["payload"], id="number as payload"),
    ],
)
def test_a_wrong_field_is_named(said: dict[str, Any], wrong: list[str]) -> None:
    """Bad inputs, V3 frames 3."""
    assert fields(refused(json.dumps(said))) == wrong


def test_an_unknown_field_is_told_where_to_go() -> None:
    (problem,) = refused(with_field("color", "red")).problems
    assert "payload" in problem["problem"]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"target": "direct"}, id="missing"),
        pytest.param({"target": "direct", "to_id": None}, id="null"),
        pytest.param({"target": "direct", "to_id": ""}, id="empty"),
        pytest.param({"target": "group", "to_id": "bob"}, id="with group"),
        pytest.param({"target": "broadcast", "to_id": "bob"}, id="with broadcast"),
        pytest.param({"target": "echo", "to_id": "bob"}, id="with echo"),
        pytest.param({"target": "group", "to_id": ""}, id="empty with group"),
    ],
)
def test_a_recipient_belongs_to_direct_and_to_nothing_else(said: dict[str, Any]) -> None:
    """Bad inputs, V3 frames 4; that it is a Vision ID is for the session, which knows whom a name means."""
    assert fields(refused(json.dumps({"msg_type": "msg", **said}))) == ["to_id"]


def test_a_payload_is_at_most_32_deep() -> None:
    """Bad inputs, V3 frames 6."""
    deepest = nested(MAX_PAYLOAD_DEPTH, 1, ("a", "b"))
    while not isinstance(deepest, dict):
        deepest = {"a": deepest[0]}
    assert read_said(with_field("payload", deepest))["payload"] == deepest
    assert fields(refused(with_field("payload", {"a": deepest}))) == ["payload"]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param('{"a":' * 100 + "1" + "}" * 100, id="100 objects"),
        pytest.param('{"a":' + "[" * 32 + "]" * 32 + "}", id="32 lists in an object"),
        pytest.param('{"a":' + "[" * 500 + "]" * 500 + "}", id="500 lists"),
        pytest.param('{"a":' * 5000 + "1" + "}" * 5000, id="5000 objects"),
        pytest.param('{"a":' + "[" * 20000 + "]" * 20000 + "}", id="20000 lists"),
    ],
)
def test_a_payload_that_is_deeper_is_refused_and_named(payload: str) -> None:
    assert fields(refused(GROUP % f',"payload":{payload}')) == ["payload"]


def test_many_containers_are_not_deep() -> None:
    assert read_said(with_field("payload", {"a": [[]] * 100}))["payload"] == {"a": [[]] * 100}


def test_depth_counts_in_the_payload_alone() -> None:
    assert "from_id" in read_said(GROUP % f',"from_id":{"[" * 40}{"]" * 40}')


def test_what_could_be_read_of_a_refused_message_is_echoed() -> None:
    said = {"msg_type": "msg", "target": "group", "to_id": "bob", "cmd": "RELOAD", "msg": "secret", "payload": {"a": 1}}
    assert refused(json.dumps(said)).refused == {"msg_type": "msg", "target": "group", "to_id": "bob", "cmd": "RELOAD"}
    assert refused('{"msg_type":7,"target":"x","cmd":null}').refused == {"target": "x"}
    assert refused("[]").refused == {}
    assert refused("{").refused == {}


def test_an_echo_and_a_list_of_problems_are_bounded() -> None:
    assert refused(json.dumps({"msg_type": "x" * 10_000, "target": "group"})).refused == {
        "msg_type": "x" * MAX_ECHO_CHARACTERS,
        "target": "group",
    }
    unreadable = refused(json.dumps({f"{number:0>9999}": 1 for number in range(50)}))
    assert len(unreadable.problems) == MAX_PROBLEMS
    assert all(len(problem["field"]) <= MAX_ECHO_CHARACTERS for problem in unreadable.problems)


def test_of_a_key_twice_the_last_value_counts() -> None:
    said = read_said('{"msg_type":"msg","target":"group","target":"echo","payload":{"a":1,"a":2}}')
    assert (said["target"], said["payload"]) == ("echo", {"a": 2})


def test_what_is_too_deep_for_any_reader_is_named_wherever_it_stands() -> None:
    deep = "[" * 5_000 + "]" * 5_000
    texts = {
        "from_id": '{"msg_type":"msg","from_id":%s}',
        "nope": '{"msg":"a \\" string: {","payload":{"cmd":["x"]},"nope":%s,"msg":[]}',
        "": "%s",
    }
    for field, text in texts.items():
        assert fields(refused(text % deep)) == [field]


@pytest.mark.parametrize(
    "value", ["[" + "1," * 20_000 + "1]", "[" + "[]," * 20_000 + "1]", '["' + '","' * 20_000 + '"]']
)
def test_a_message_of_too_many_values_is_refused_unread(value: str) -> None:
    for field in ("payload", "from_id"):
        unreadable = refused(GROUP % f',"{field}":{{"a":{value}}}')
        assert (unreadable.code, fields(unreadable), unreadable.refused) == ("invalid_message", [field], {})
        assert "too many values" in unreadable.problems[0]["problem"]


@pytest.mark.parametrize("said", ['"cmd":"JOIN"', '"cmd":"LEAVE"'])
@pytest.mark.parametrize("target", ["group", "broadcast", "direct"])
def test_who_comes_and_goes_is_for_the_server_to_say(said: str, target: str) -> None:
    to_id = ',"to_id":"bob"' if target == "direct" else ""
    with pytest.raises(Unreadable) as caught:
        check_event(read_said(f'{{"msg_type":"presence","target":"{target}",{said}{to_id}}}'))
    assert (caught.value.code, fields(caught.value)) == ("invalid_message", ["cmd"])


@pytest.mark.parametrize(
    "text",
    [
        '{"msg_type":"presence","target":"echo","cmd":"JOIN"}',
        '{"msg_type":"presence","target":"group","cmd":"join"}',
        '{"msg_type":"presence","target":"group"}',
        '{"msg_type":"cmd","target":"group","cmd":"LEAVE"}',
    ],
)
def test_anything_else_a_client_may_say_with_presence(text: str) -> None:
    check_event(read_said(text))


def by_model(text: str) -> Content:
    said = read_said(text)
    check_event(said)
    return content_of(said)


def verdict(read: Callable[[str], Content], text: str) -> str:
    """All that a sender or a listener can see of it."""
    try:
        return repr(read(text))
    except Unreadable as unreadable:
        return repr((unreadable.code, unreadable.problems, unreadable.refused))


@given(together(st.one_of(texts(), misspelt(), numerical())))
def test_what_most_frames_say_is_read_without_the_model_and_as_by_it(frames: list[str]) -> None:
    for text in frames:
        assert verdict(read_content, text) == verdict(by_model, text)


@pytest.mark.parametrize("target", ["group", "broadcast", "echo", "direct"])
@pytest.mark.parametrize("to_id", [None, "", "bob"])
@pytest.mark.parametrize("msg_type", ["msg", "presence"])
def test_the_recipient_is_checked_alike(target: str, to_id: str | None, msg_type: str) -> None:
    text = json.dumps(
        {"msg_type": msg_type, "target": target, "to_id": to_id, "cmd": "JOIN", "msg": "hi", "payload": {}}
    )
    assert verdict(read_content, text) == verdict(by_model, text)


def test_a_plain_frame_is_not_given_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v3.said.read_said", None)
    assert read_content(GROUP % ',"payload":{"a":1}') == {"msg_type": "msg", "target": "group", "payload": {"a": 1}}
