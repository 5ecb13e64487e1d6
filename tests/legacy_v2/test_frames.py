from typing import Any

import pytest
from hypothesis import given

from compat.reading import read
from legacy_v2.frames import is_recipient, write
from tests.compat.strategies import frames


@pytest.mark.parametrize("value", ["a", "x" * 128, " ", "é" * 128, 0, -1, 42, 10**400])
def test_a_recipient_is_a_short_text_or_an_integer(value: Any) -> None:
    assert is_recipient(value)


@pytest.mark.parametrize("value", ["", "x" * 129, True, False, None, 1.0, [], ["a"], {}, {"id": "a"}])
def test_nothing_else_is_a_recipient(value: Any) -> None:
    assert not is_recipient(value)


@given(frames)
def test_what_is_written_is_one_compact_line_and_is_read_again(frame: dict[str, Any]) -> None:
    text = write(frame)
    assert "\n" not in text
    assert read(text) == frame
    assert write(read(text)) == text


def test_a_written_frame_is_compact_and_not_escaped() -> None:
    assert write({"a": [1, 2], "b": "é🜁"}) == '{"a":[1,2],"b":"é🜁"}'
