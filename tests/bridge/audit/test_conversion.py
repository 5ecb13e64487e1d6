"""One line of one language in the words of the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from bridge.audit.conversion import NOT_UTF_8, REFUSED, Converted, read_message, to_v2, to_v3
from compat.dialect import Dialect, Rule
from compat.upgrade import EXACT, STASHED, SUPPRESSED, Outcome, outcome_of, upgrade
from tests.compat.strategies import MAX_DEPTH, frames
from v3.messages import Unreadable

CAPTION = Dialect({"caption": Rule(field="msg")})


def said_to(to_id: str) -> bytes:
    return to_json({"msg_type": "msg", "target": "direct", "to_id": to_id, "msg": "hi"})


def payload_of_depth(depth: int) -> bytes:
    payload = b'{"a":' * depth + b"1" + b"}" * depth
    return b'{"msg_type":"msg","target":"group","payload":%b}' % payload


@pytest.mark.parametrize(
    ("frame", "line", "outcome"),
    [
        (b'{"msg":"hi"}', b'{"msg_type":"msg","target":"group","msg":"hi"}', EXACT),
        ("é".encode(), '{"msg_type":"msg","target":"group","msg":"é"}'.encode(), EXACT),
        (
            b'{"from_id":1}',
            b'{"msg_type":"msg","target":"group","payload":{"_v2":{"from_id":1}}}',
            STASHED,
        ),
    ],
)
def test_a_frame_is_said_in_v3_words_and_what_became_of_it(frame: bytes, line: bytes, outcome: Outcome) -> None:
    assert to_v3(frame) == Converted(line, outcome)


def test_a_heartbeat_of_v2_has_words_though_no_v3_client_hears_it() -> None:
    converted = to_v3(b'{"type":"ping"}')
    assert (from_json(converted.line or b"")["msg_type"], converted.outcome) == ("heartbeat", SUPPRESSED)
    assert outcome_of(upgrade({"type": "ping", "from_id": 1})) == SUPPRESSED


@pytest.mark.parametrize(
    "unspoken",
    [
        b'{"msg_type":"heartbeat","target":"group"}',
        b'{"msg_type":"presence","target":"group","cmd":"LOOK"}',
        b'{"msg_type":"msg","target":"echo","msg":"hi"}',
    ],
)
def test_what_v2_would_not_hear_is_no_line(unspoken: bytes) -> None:
    assert to_v2(unspoken) == Converted(None, SUPPRESSED)


def test_what_only_the_server_says_is_passed_over() -> None:
    line = b'{"msg_type":"msg","target":"group","msg":"hi","from_id":7,"group_id":[],"sent_at":null}'
    assert to_v2(line) == Converted(b'{"type":"msg","msg":"hi"}', EXACT)


def test_a_dialect_is_spoken_both_ways() -> None:
    line = to_v3(b'{"caption":"hi"}', CAPTION).line
    assert line == b'{"msg_type":"msg","target":"group","msg":"hi"}'
    assert to_v2(line, CAPTION).line == b'{"type":"msg","caption":"hi"}'


@pytest.mark.parametrize("convert", [to_v2, to_v3])
def test_what_is_not_utf_8_is_refused(convert: Callable[[bytes], Converted]) -> None:
    assert convert(b"\xff") == Converted(None, REFUSED, NOT_UTF_8)


@given(st.binary())
def test_any_bytes_are_converted_or_refused_with_a_reason(line: bytes) -> None:
    for converted in (to_v3(line), to_v2(line)):
        assert (converted.outcome == REFUSED) is bool(converted.problem)
        assert converted.line is None or from_json(converted.line) is not None


@given(frames)
def test_what_was_made_of_a_frame_comes_back_as_the_same_content(frame: dict[str, object]) -> None:
    first = to_v3(to_json(frame))
    assert first.line is not None
    back = to_v2(first.line)
    if back.line is not None:
        assert to_v3(back.line).line == first.line


def test_a_message_made_of_a_frame_may_be_as_deep_as_a_stash_makes_it_and_no_deeper() -> None:
    for depth in (MAX_DEPTH, MAX_DEPTH + 1):
        assert to_v2(payload_of_depth(depth)).outcome == EXACT
    refused = to_v2(payload_of_depth(MAX_DEPTH + 2))
    assert (refused.outcome, "nested deeper" in refused.problem) == (REFUSED, True)


def test_a_message_that_is_too_deep_is_held_to_everything_else() -> None:
    line = payload_of_depth(MAX_DEPTH + 1).replace(b'"group"', b'"group","extra":1')
    assert (to_v2(line).outcome, "extra" in to_v2(line).problem) == (REFUSED, True)


@pytest.mark.parametrize("to_id", ["ann", "v2-42", "v2-a_20b"])
def test_a_recipient_that_v2_can_name_is_named(to_id: str) -> None:
    assert to_v2(said_to(to_id)).outcome == EXACT


@pytest.mark.parametrize("to_id", ["42", "v2-_zz", "a b", "v2-" + "1" * 5_000])
def test_a_recipient_that_does_not_come_back_the_same_is_refused(to_id: str) -> None:
    refused = to_v2(said_to(to_id))
    assert (refused.line, refused.outcome, refused.problem[:18]) == (None, REFUSED, "to_id is no Vision")


def test_what_is_wrong_is_one_sentence_that_names_each_field() -> None:
    assert to_v2(b"hello").problem.startswith("is no JSON: ")
    missing, unknown = to_v2(b'{"msg_type":"msg","colour":1}').problem.split("; ")
    assert (missing, unknown[:18]) == ("target Field required", "colour is no field")


def test_what_cannot_be_read_names_the_fields() -> None:
    with pytest.raises(Unreadable) as unreadable:
        read_message('{"msg_type":"msg","target":"direct","to_id":"v2-_zz"}')
    assert [problem["field"] for problem in unreadable.value.problems] == ["to_id"]
