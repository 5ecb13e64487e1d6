"""The fields of a V3 message, and how it is written."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from tests.compat.strategies import contents
from tests.v3.ports import NOW
from v3.heard import content_in, read_heard
from v3.messages import (
    Content,
    Line,
    WS_Message_V3,
    content_of,
    is_vision_id,
    timestamp,
    write,
    write_members,
)
from v3.said import read_said


@pytest.mark.parametrize("value", ["a", "-", "_", "dev_1", "v2-42", "4a", "-5", "x" * 64, "Server", "0x0"])
def test_a_vision_id_is_a_short_random_string(value: str) -> None:
    assert is_vision_id(value)


@pytest.mark.parametrize(
    "value",
    [
        *("", "0", "42", "9" * 64, "server", "x" * 65, "a b", "a:b", "{x}", "*", "a\n", "42\n", "é", "٣", "a/b"),
        *("%2e", "..", "\x00", "🜁"),
    ],
)
def test_another_string_is_no_vision_id(value: str) -> None:
    assert not is_vision_id(value)


def test_fields_are_written_in_the_order_of_the_table_on_one_line() -> None:
    content: Content = {
        "payload": {"b": "\n", "a": "é"},
        "msg": "hi\r\n\u2028",
        "cmd": "RELOAD",
        "to_id": "bob",
        "target": "direct",
        "msg_type": "cmd",
    }
    line = write(content, "ann", "lobby", "2026-01-01T00:00:00.000000Z")
    order = ["version", "msg_type", "target", "from_id", "to_id", "group_id", "cmd", "msg", "payload", "sent_at"]
    assert list(json.loads(line)) == order
    assert line.startswith(b'{"version":"3","msg_type":"cmd","target":"direct","from_id":"ann","to_id":"bob",')
    assert b"\n" not in line
    assert json.loads(line)["payload"] == {"b": "\n", "a": "é"}


def test_what_nobody_set_is_left_out() -> None:
    line = write({"msg_type": "msg", "target": "group"}, "ann", "lobby", "now")
    assert line == (
        b'{"version":"3","msg_type":"msg","target":"group","from_id":"ann","group_id":"lobby","sent_at":"now"}'
    )


@given(contents)
def test_what_is_written_is_a_valid_message_and_is_read_as_it_was_said(said: dict[str, Any]) -> None:
    content = content_of(read_said(to_json(said).decode()))
    line = write(content, "ann", "lobby", "now")
    assert read_heard(line).payload == said.get("payload")
    assert content_in(line) == said
    message = WS_Message_V3.model_validate_json(line)
    assert message.model_dump(exclude_none=True) == {
        "version": "3",
        **said,
        "from_id": "ann",
        "group_id": "lobby",
        "sent_at": "now",
    }


def test_members_are_written_as_they_are_given() -> None:
    content: Content = {"msg_type": "presence", "target": "echo", "payload": {"members": 1, "a": None, "b": "null}"}}
    line = write_members(content, "ann", "lobby", 'now"', b'[{"client_id":"ann"}]')
    assert json.loads(line)["payload"] == {"a": None, "b": "null}", "members": [{"client_id": "ann"}]}
    assert json.loads(line)["sent_at"] == 'now"'


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (NOW, "2026-01-01T00:00:00.000000Z"),
        (NOW + 1_000_001, "2026-01-01T00:00:01.000001Z"),
        (NOW - 1, "2025-12-31T23:59:59.999999Z"),
    ],
)
def test_a_timestamp_is_iso_8601_in_utc_with_microseconds(microseconds: int, expected: str) -> None:
    assert timestamp(microseconds) == expected


@given(st.integers(0, 250_000_000_000_000_000))
def test_any_moment_has_its_timestamp(microseconds: int) -> None:
    moment = datetime.fromisoformat(timestamp(microseconds))
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == microseconds


def test_what_comes_between_changes_no_timestamp() -> None:
    moments = [NOW + second * 1_000_000 + 7 for second in range(200)]
    assert [timestamp(moment) for moment in moments] == [timestamp(moment) for moment in moments]
    assert sorted(set(map(timestamp, moments))) == list(map(timestamp, moments))


def test_a_line_has_the_fields_of_the_model_in_their_order() -> None:
    assert Line.__struct_fields__ == tuple(WS_Message_V3.model_fields)
