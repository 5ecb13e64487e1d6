"""V2 frames from the bus: each once, a line each, within bounds; what V3 says is none."""

from __future__ import annotations

import pytest

from bridge.audit import recording as recordings
from bridge.audit.recording import Recording
from bridge.broker.message import said
from v3.messages import Content

CONTENT: Content = {"msg_type": "msg", "target": "group", "msg": "hi"}


def message(frame: str | None, number: int = 0) -> bytes:
    return said(CONTENT, "v2-42", "lobby", f"2026-11-24T20:03:04.{number:06}Z", frame).data


def test_a_frame_is_a_line_and_its_second_copy_is_none() -> None:
    recording = Recording(10, 1_000)
    assert recording.line_of(message('{"msg": "hi"}')) == b'{"msg": "hi"}\n'
    assert recording.line_of(message('{"msg": "hi"}')) is None
    assert recording.line_of(message('{"msg": "hi"}', 1)) == b'{"msg": "hi"}\n'
    assert (recording.frames, recording.bytes, recording.folded) == (2, 28, 0)


def test_a_message_that_is_in_a_history_is_recorded_like_any_other() -> None:
    recording = Recording(10, 1_000)
    numbered = b"1790000000000001\n" + message('{"msg": "hi"}')
    assert [recording.line_of(numbered) for _ in range(2)] == [b'{"msg": "hi"}\n', None]


@pytest.mark.parametrize("other", [message(None), b"", b"garbage", b"garbage\n{}", b"12x\n{}", b'{"a":1}\n\xff'])
def test_what_is_no_v2_frame_is_not_recorded(other: bytes) -> None:
    assert Recording(10, 1_000).line_of(other) is None


def test_a_line_break_in_a_frame_becomes_a_space_and_is_counted() -> None:
    recording = Recording(10, 1_000)
    assert recording.line_of(message('{\r\n"msg": "hi"\n}')) == b'{  "msg": "hi" }\n'
    assert recording.folded == 1


def test_it_is_full_at_either_bound() -> None:
    recording = Recording(1, 1_000)
    assert recording.line_of(message("a")) == b"a\n"
    assert recording.is_full
    assert recording.line_of(message("b", 1)) is None
    small = Recording(10, 3)
    assert [small.line_of(message("a", number)) for number in range(3)] == [b"a\n", None, None]
    assert (small.is_full, small.bytes) == (True, 2)


def test_only_so_many_frames_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MOST_REMEMBERED", 1)
    recording = Recording(10, 1_000)
    found = [recording.line_of(message("a", number)) for number in (0, 1, 1, 0)]
    assert found == [b"a\n", b"a\n", None, b"a\n"]
