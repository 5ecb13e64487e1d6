import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from bridge.broker.message import MOST_DIGITS, BusMessage, last_number, numbered, read
from bridge.broker.message import said as said_here
from compat.upgrade import upgrade_text
from tests.bridge.broker.parts import heard_as
from tests.compat.strategies import contents, frames
from v3.form import TooMuch, form_of
from v3.messages import Unreadable, WS_Message_V3, content_of, write
from v3.said import read_said

NOW = "2026-01-01T00:00:00.000000Z"
LINE = write({"msg_type": "msg", "target": "group", "msg": "hi"}, "ann", "lobby", NOW)


def arrived(data: bytes) -> BusMessage:
    return read(data, lambda: "2026-02-02T00:00:00.000000Z")


@given(contents)
def test_a_message_of_v3_arrives_as_its_own_bytes(said: dict[str, Any]) -> None:
    content = content_of(read_said(to_json(said).decode()))
    line = write(content, "ann", "lobby", NOW)
    message = arrived(said_here(content, "ann", "lobby", NOW).data)
    assert (message.line, message.v2_text) == (line, None)
    assert message.content == content
    assert (message.target, message.group_id, message.to_id) == (said["target"], "lobby", said.get("to_id"))


HEAVY = {
    "integers": "1,",
    "texts": '"a",',
    "empty texts": '"",',
    "fractions": "0.5,",
    "exponents": "1E22,",
    "tiny numbers": "1e-9,",
    "long numbers": "1234567890123456789,",
    "lists": "[],",
    "objects": "{},",
    "members": '{"a":1},',
    "escapes": r'"\"\\\"\\",',
}


@pytest.mark.parametrize("what", HEAVY)
@pytest.mark.parametrize("around", ['{"data":[%s0]}', '{"payload":{"a":[%s0]}}', "[%s0]", '{"msg":"hi","x":[%s0]}'])
def test_the_heaviest_frame_of_v2_arrives(what: str, around: str) -> None:
    """What clients may say is never too heavy for the bus, in whatever words it gets there."""
    part, most = HEAVY[what], 1
    while is_light(around % (part * 2 * most)):
        most *= 2
    for step in (most >> power for power in range(1, most.bit_length())):
        most += step if is_light(around % (part * (most + step))) else 0
    text = around % (part * most)
    content = upgrade_text(text).content
    assert arrived(said_here(content, "v2-42", "lobby", NOW, text).data).v2_text == text.encode()


def is_light(text: str) -> bool:
    with suppress(TooMuch):
        return bool(form_of(text))
    return False


@given(
    st.one_of(st.text(), frames.map(lambda frame: to_json(frame).decode()), st.sampled_from(("", "\n", "\n\n", " ")))
)
def test_a_frame_of_v2_arrives_as_v3_and_verbatim(text: str) -> None:
    content = upgrade_text(text).content
    line = write(content, "v2-42", "lobby", NOW)
    message = arrived(said_here(content, "v2-42", "lobby", NOW, text).data)
    assert (message.line, message.v2_text) == (line, text.encode())
    assert message.content == content


@given(contents)
def test_what_is_said_here_need_not_be_read(said_fields: dict[str, Any]) -> None:
    content = content_of(read_said(to_json(said_fields).decode()))
    message = said_here(content, "ann", "lobby", NOW)
    assert_same(message, arrived(message.data))


@given(st.one_of(st.text(), frames.map(lambda frame: to_json(frame).decode())))
def test_nor_need_a_frame_of_v2(text: str) -> None:
    content = upgrade_text(text).content
    message = said_here(content, "v2-42", "lobby", NOW, text)
    assert_same(message, arrived(message.data))


def assert_same(one: BusMessage, other: BusMessage) -> None:
    assert (one.line, one.v2_text, one.heard, one.content) == (other.line, other.v2_text, other.heard, other.content)


def test_a_service_may_end_its_message_with_a_newline() -> None:
    message = arrived(LINE + b"\n")
    assert (message.line, message.v2_text) == (LINE, None)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_service_may_leave_out_what_the_server_sets(indent: int | None) -> None:
    said = {"version": "3", "msg_type": "cmd", "target": "broadcast", "cmd": "RELOAD", "payload": {"a": "\n"}}
    message = arrived(json.dumps(said, indent=indent).encode())
    assert b"\n" not in message.line
    assert WS_Message_V3.model_validate_json(message.line).model_dump(exclude_none=True) == {
        **said,
        "from_id": "server",
        "group_id": "",
        "sent_at": "2026-02-02T00:00:00.000000Z",
    }
    assert message.v2_text is None
    assert message.heard.from_id == "server"


def test_a_service_may_say_who_speaks_and_where() -> None:
    data = b'{"from_id":"robot","group_id":"lobby","version":"3","msg_type":"msg","target":"group"}'
    heard = json.loads(arrived(data).line)
    assert (heard["from_id"], heard["group_id"], heard["sent_at"]) == ("robot", "lobby", "2026-02-02T00:00:00.000000Z")


def test_a_service_that_writes_on_several_lines_is_heard_on_one() -> None:
    message = arrived(json.dumps(json.loads(LINE), indent=2).encode())
    assert b"\n" not in message.line
    assert json.loads(message.line) == json.loads(LINE)
    assert message.v2_text is None


def test_another_order_of_the_fields_is_left_as_it_is() -> None:
    data = json.dumps(dict(reversed(json.loads(LINE).items()))).encode()
    assert arrived(data).line == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a newline"),
        pytest.param(b"hello", id="text"),
        pytest.param(b"hello\nworld", id="two lines of text"),
        pytest.param(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07hello\x94.", id="a pickle"),
        pytest.param(LINE.replace(b'"3"', b'"4"'), id="an unknown version"),
        pytest.param(LINE.replace(b"hi", b"\xff"), id="not UTF-8"),
        pytest.param(LINE + b"\n\xff", id="a V2 text that is not UTF-8"),
        pytest.param(b'{"msg":"hi"}\n' + LINE, id="the other way round"),
        pytest.param(LINE[:-1], id="cut short"),
        pytest.param(LINE + LINE, id="two messages"),
        pytest.param(LINE[:-1] + b',"color":1}', id="an unknown field"),
        pytest.param(LINE[:-1] + b',"payload":{"a":NaN}}', id="NaN"),
        pytest.param(LINE[:-1] + b',"payload":{"a":1e400}}', id="1e400"),
    ],
)
def test_what_is_no_message_is_rejected(data: bytes) -> None:
    """Bad inputs, Bus 1."""
    with pytest.raises(Unreadable):
        arrived(data)


@given(st.integers(0, 10**MOST_DIGITS - 1), st.binary())
def test_a_number_comes_before_the_message(number: int, data: bytes) -> None:
    assert numbered(b"%d\n%b" % (number, data)) == (number, data)


def test_a_message_that_was_said_plainly_has_no_number() -> None:
    assert numbered(LINE) == (0, LINE)
    assert numbered(b"") == (0, b"")


@pytest.mark.parametrize("data", [b"1 \n{}", b"1x\n{}", b"1" * (MOST_DIGITS + 1) + b"\n{}", "1٣\n{}".encode()])
def test_what_begins_like_a_number_and_is_none_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        numbered(data)


def test_the_last_number_of_a_batch_is_that_of_the_last_message_that_has_one() -> None:
    assert last_number([heard_as(1), heard_as(2), heard_as(0)]) == 2
    assert last_number([heard_as(0)]) == last_number([]) == 0


@pytest.mark.parametrize("v2_text", [None, "", "hé"])
def test_the_size_of_a_message_is_what_it_takes_on_the_bus(v2_text: str | None) -> None:
    message = said_here({"msg_type": "msg", "target": "group", "msg": "hi"}, "ann", "lobby", NOW, v2_text)
    assert message.size_bytes == len(message.data) - (v2_text is not None)
