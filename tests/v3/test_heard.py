"""What arrives on the bus, as it is parsed and rejected."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compat.strategies import together
from tests.v3.texts import misspelt, numerical, texts
from v3 import heard
from v3.heard import read_heard
from v3.messages import Line, Unreadable, write

HEARD = b'{"version":"3","msg_type":"msg","target":"group"%b}'


class NeverRead:
    def validate_json(self, line: bytes) -> Any:
        raise AssertionError(line[:80])


def test_another_service_may_leave_the_servers_fields_out_or_null() -> None:
    heard = read_heard(HEARD % b',"from_id":null,"to_id":null,"cmd":null,"payload":null,"sent_at":null')
    assert heard == read_heard(HEARD % b"") == Line("3", "msg", "group")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"hello", "invalid_message", id="no JSON"),
        pytest.param(b"", "invalid_message", id="nothing"),
        pytest.param(b"\x80\x04\x95\x00.", "invalid_message", id="a pickle"),
        pytest.param(HEARD % b',"msg":"\xff"', "invalid_message", id="not UTF-8"),
        pytest.param(b"[]", "invalid_message", id="no object"),
        pytest.param(HEARD.replace(b'"3"', b'"4"') % b"", "invalid_message", id="unknown version"),
        pytest.param(b'{"msg_type":"msg","target":"group"}', "invalid_message", id="no version"),
        pytest.param(HEARD % b',"color":1', "invalid_message", id="unknown field"),
        pytest.param(HEARD % b',"from_id":7', "invalid_message", id="number as sender"),
        pytest.param(HEARD % b',"msg":"\\ud800"', "invalid_message", id="lone surrogate"),
        pytest.param(HEARD % b',"payload":{"a":NaN}', "invalid_json", id="NaN"),
        pytest.param(HEARD % b',"payload":{"a":[-Infinity]}', "invalid_json", id="Infinity"),
        pytest.param(HEARD % b',"payload":{"a":1e400}', "invalid_json", id="1e400"),
        pytest.param(HEARD % (b',"payload":{"a":1%be99}' % (b"0" * 215)), "invalid_json", id="1000...e99"),
    ],
)
def test_what_is_no_message_on_the_bus_is_rejected(line: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_heard(line)
    assert caught.value.code == code


@pytest.mark.parametrize("extra", [b',"msg":"NaN"', b',"payload":{"NaN":"1e400"}', b',"payload":{"a":1e300}'])
def test_a_text_about_numbers_passes_the_bus(extra: bytes) -> None:
    assert read_heard(HEARD % extra).msg_type == "msg"


def test_a_message_of_too_many_values_is_rejected_on_the_bus_too() -> None:
    with pytest.raises(Unreadable):
        read_heard(HEARD % (b',"payload":{"a":[%b1]}' % (b"1," * 40_000)))
    assert read_heard(HEARD % (b',"payload":{"a":[%b1]}' % (b"1," * 16_000))).payload == {}


@pytest.mark.parametrize(
    "line",
    [
        HEARD % (b',"payload":{"a":[%b{}]}' % (b"{}," * 40_000)),
        HEARD % (b',"payload":{"a":[%b1]}' % (b"1," * 200_000)),
        HEARD % (b',"payload":{"a":[%b""]}' % (b'"",' * 100_000)),
        HEARD % (b',"payload":{%b"z":1}' % b"".join(b'"%d":1,' % number for number in range(40_000))),
        HEARD % (b',"nope":%b' % (b"[" * 240_000)),
        b"[" * 480_000,
        b"[%b{}]" % (b"{}," * 100_000),
    ],
    ids=range(7),
)
def test_what_is_too_heavy_on_the_bus_is_weighed_and_not_read(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "_heard", NeverRead())
    with pytest.raises(Unreadable) as caught:
        read_heard(line)
    assert caught.value.code == "invalid_message"


@pytest.mark.parametrize("mark", ['"', "\\", "[", "{", ",", ":", "\n", "\x00", "1", "e", ".", "é", "\\[", '":'])
def test_a_text_passes_the_bus_whatever_it_is_made_of(mark: str) -> None:
    """It holds no values: what looks like some stands in a string."""
    text = mark * (262_144 // len(mark))
    line = write({"msg_type": "msg", "target": "group", "msg": text}, "ann", "lobby", "now")
    assert read_heard(line).msg == text


def test_on_the_bus_a_text_of_quotes_is_no_room_for_more_values() -> None:
    """Escapes of a text count for nothing there; what the payload holds counts all the same."""
    payload = {"values": [0] * (heard.MAX_LINE_WEIGHT + 200)}
    content: Any = {"msg_type": "msg", "target": "group", "msg": "\\" * 1_200, "payload": payload}
    with pytest.raises(Unreadable, match="invalid_message"):
        read_heard(write(content, "ann", "g", "2026-01-01T00:00:00.000Z"))


def verdict(read: Callable[[bytes], Line], line: bytes) -> str:
    try:
        return repr(read(line))
    except Unreadable as unreadable:
        return unreadable.code


@given(together(st.one_of(texts(), misspelt(), numerical())))
def test_most_lines_are_read_without_the_model_and_as_by_it(frames: list[str]) -> None:
    for text in frames:
        line = text.replace("{", '{"version":"3",', 1).encode(errors="replace")
        read, by_model = verdict(read_heard, line), verdict(heard._read_by_model, line)
        assert without_payload(read) == without_payload(by_model)


def without_payload(read: str) -> str:
    """The model keeps no member of it."""
    return re.sub(r"payload=\{.*\}, sent_at", "payload={}, sent_at", read, flags=re.DOTALL)
