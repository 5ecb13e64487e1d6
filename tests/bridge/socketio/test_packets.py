import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.continuity.positions import UNKNOWN
from bridge.socketio import packets
from bridge.socketio.packets import Broken, Packet, auth_of, frame_of, read

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=12,
)
objects = st.dictionaries(st.text(), values)
near_packets = st.text(alphabet=st.sampled_from('0123456789/v,?-[]{}":\\ud8\x00\x1e nessage\x85é')) | st.text()


def an_event(argument: str) -> Packet:
    return Packet("event", "/v3", None, f'["message",{argument}]')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", Packet("connect", "/", None, "")),
        ("0/v3", Packet("connect", "/v3", None, "")),
        ("0/v3,", Packet("connect", "/v3", None, "")),
        ('0/v3,{"group_id":"g"}', Packet("connect", "/v3", None, '{"group_id":"g"}')),
        ("0/v3?token=a,{}", Packet("connect", "/v3", None, "{}")),
        ("1/v2,", Packet("disconnect", "/v2", None, "")),
        ('2["message",1]', Packet("event", "/", None, '["message",1]')),
        ('2/v3,7["message",{}]', Packet("event", "/v3", 7, '["message",{}]')),
        ('2/v3,999999999["message",{}]', Packet("event", "/v3", 999_999_999, '["message",{}]')),
        ("3/v3,7[]", Packet("ack", "/v3", 7, "[]")),
    ],
)
def test_a_packet_is_read(text: str, expected: Packet) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "[]", "-1", "4{}", "7", "9", " 0", "²", "٢[]"),
        *('5["message",{"_placeholder":true,"num":0}]', '512345678901-["message"]', "6[]", "21-[]"),
        *("2/v3,1234567890[]", "2/v3,12345678901[]", "2/v3,-1[]", "2/v3,1.5[]"),
        "2/v3,null",
    ],
)
def test_what_no_client_of_ours_sends_is_broken(text: str) -> None:
    with pytest.raises(Broken):
        read(text)


@given(near_packets)
def test_whatever_is_read_is_a_packet_or_broken(text: str) -> None:
    try:
        packet = read(text)
        assert packet.kind.removeprefix("binary_") in ("connect", "disconnect", "event", "ack")
        assert (packet.attachments > 0) <= packet.kind.startswith("binary")
        assert isinstance(frame_of(packet), str)
    except Broken:
        pass


@given(near_packets)
def test_whatever_stands_in_an_event_is_a_frame_or_broken(text: str) -> None:
    for data in (text, f'["message",{text}]', f"[{text}]"):
        try:
            frame_of(Packet("event", "/v3", None, data)).encode()
        except Broken:
            continue


@given(near_packets)
def test_whatever_a_client_connects_with_is_strings_or_no_object(text: str) -> None:
    for data in (text, f'{{"api_key":{text}}}', f"{{{text}}}"):
        auth = auth_of(Packet("connect", "/v3", None, data))
        assert auth is None or all(isinstance(word, str) for pair in auth.items() for word in pair)


@given(objects, st.integers(min_value=0, max_value=999_999_999) | st.none(), st.booleans())
def test_an_arguments_text_is_kept_byte_for_byte(argument: Any, number: int | None, is_ascii: bool) -> None:  # noqa: FBT001
    text = json.dumps(argument, ensure_ascii=is_ascii, indent=1).encode("utf-8", "replace").decode()
    packet = read(f'2/v2,{"" if number is None else number}[ "message" , {text} ]')
    assert packet.number == number
    assert frame_of(packet) == text


@pytest.mark.parametrize(
    "argument",
    [
        *('{"a":1.0,"a":2e5}', '{ "b" : [ ] }', "7", "-0", "null", "[1,2]", '"]"'.join("[]"), '{"x":"]"}'),
        *("NaN", "-Infinity", "1e400", '{"half":"\\ud83d"}', '{"\\udc00":1}', "1" * 5_000),
        "[" * 100 + "]" * 100,
        "[" * 300 + "]" * 300,
    ],
    ids=lambda argument: f"{argument[:20]}, {len(argument)}",
)
def test_what_the_languages_judge_reaches_them_as_it_was_sent(argument: str) -> None:
    assert frame_of(an_event(argument)) == argument


@pytest.mark.parametrize("text", ["", "hi", "no JSON", '{"msg":"hi"}', "é\x00\n", '"', "😀"])
def test_a_string_is_said_without_its_quotes(text: str) -> None:
    assert frame_of(an_event(json.dumps(text))) == text


def test_a_string_that_no_frame_can_hold_keeps_its_quotes() -> None:
    assert frame_of(an_event('"\\ud83d"')) == '"\\ud83d"'


@pytest.mark.parametrize("data", ['["message"]', '["message",1,2]', '["chat",{}]', '["mess\\u0061ge",{}]', '["",1]'])
def test_another_event_is_said_whole(data: str) -> None:
    assert frame_of(Packet("event", "/v2", None, data)) == data


@pytest.mark.parametrize(
    "argument", ["[" + "[]," * 10_000 + "1]", '{"a":[' + '"",' * 20_000 + "1]}", "1," * 20_000 + "1"]
)
def test_what_neither_language_would_read_is_handed_on_unread(argument: str) -> None:
    assert frame_of(an_event(f" {argument} ")) == argument


@pytest.mark.parametrize(
    "data", ['{"api_key":"a","more":[' + "1," * 1_000 + "1]}", '{"a":' + "[" * 200 + "]" * 200 + "}"]
)
def test_credentials_of_much_structure_are_none(data: str) -> None:
    assert auth_of(Packet("connect", "/v3", None, data)) is None


@pytest.mark.parametrize(
    "data",
    [
        *(
            "",
            "[]",
            "{}",
            '{"message":1}',
            "[1]",
            "[null]",
            "[[]]",
            '["message",]',
            '["message",{]',
            '["message",{"a":]',
        ),
        *('["message",{}', '["message",{}]]', '["message",{}] x', '["message",nope]', '"message"', "[" * 5_000),
        '["message",' + "[" * 2_000 + "]" * 2_000 + "]",
    ],
    ids=lambda data: f"{data[:20]}, {len(data)}",
)
def test_an_event_that_is_no_array_with_a_name_is_broken(data: str) -> None:
    with pytest.raises(Broken):
        frame_of(Packet("event", "/v3", None, data))


def test_what_a_client_connects_with_is_strings_and_digits() -> None:
    sent = {"api_key": "k", "client_id": 42, "group_id": None, "a": True, "b": False, "c": 1.5, "d": {}, "e": []}
    assert auth_of(Packet("connect", "/v2", None, json.dumps(sent))) == {"api_key": "k", "client_id": "42"}
    assert auth_of(Packet("connect", "/v2", None, "")) == {}


@pytest.mark.parametrize(
    ("given", "since"),
    [
        *(("null", {}), ('""', {"since": ""}), ('"@1"', {"since": "@1"}), ("5", {"since": "5"})),
        *((there, {"since": UNKNOWN}) for there in ("true", "false", "1.5", "[]", '["@1"]', "{}", '{"a":"@1"}')),
    ],
)
def test_a_since_that_is_there_and_no_text_is_a_position_that_is_not_known(given: str, since: dict[str, str]) -> None:
    assert auth_of(read(f'0/v3,{{"since":{given}}}')) == since


@pytest.mark.parametrize(
    "data",
    [
        *("[]", '"x"', '""', "{", "5", "-5", "1e3", "true", "false", "0", "123456789012", "x"),
        *('{"a":"\\ud800"}', '{"a":' + "1" * 5_000 + "}", '{"a":' * 9_000),
    ],
    ids=lambda data: f"{data[:20]}, {len(data)}",
)
def test_a_client_that_connects_with_anything_else_names_nobody(data: str) -> None:
    assert auth_of(read(f"0/v3,{data}")) is None


def test_a_client_may_connect_with_nothing() -> None:
    assert auth_of(read("0/v3,null")) == auth_of(read("0/v3,")) == auth_of(read("0/v3")) == {}


def test_of_a_binary_event_it_is_read_how_many_attachments_follow() -> None:
    assert read('52-/v3,7["message",{}]') == Packet("binary_event", "/v3", 7, '["message",{}]', 2)
    assert read("61-/v3,7[]") == Packet("binary_ack", "/v3", 7, "[]", 1)


@given(objects)
def test_what_is_said_to_clients_is_read_back(argument: Any) -> None:
    text = json.dumps(argument).encode()
    said = packets.event("/v3", text)
    assert re.fullmatch(rb'42/v3,\["message",(.*)\]', said, re.DOTALL)
    assert frame_of(read(said[1:].decode())) == text.decode()


def test_the_other_packets_of_the_server() -> None:
    assert packets.acknowledgement("/v3", 7, {"ok": True}) == b'43/v3,7[{"ok":true}]'
    assert packets.connected("/v2", "id") == b'40/v2,{"sid":"id"}'
    assert packets.disconnected("/v3") == b"41/v3,"
    assert packets.refused("/v3", "No.", {"code": "forbidden"}) == (
        b'44/v3,{"message":"No.","data":{"code":"forbidden"}}'
    )
