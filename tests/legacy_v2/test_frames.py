import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.reading import NotJson, read
from legacy_v2.frames import is_recipient, recipient_of, speaks_as_the_bridge, type_of, write
from tests.compat.strategies import frames


@pytest.mark.parametrize("value", ["a", "x" * 128, " ", "é" * 128, 0, -1, 42, 10**400])
def test_a_recipient_is_a_short_text_or_an_integer(value: Any) -> None:
    assert is_recipient(value)
    assert recipient_of(value) == value


@given(st.integers(-(2**1000), 2**1000))
def test_a_number_that_equals_an_integer_is_that_integer(number: int) -> None:
    assert recipient_of(float(number)) == int(float(number))
    assert type(recipient_of(float(number))) is int


@pytest.mark.parametrize(
    "value", ["", "x" * 129, True, False, None, 1.5, math.nan, math.inf, [], ["a"], {}, {"id": "a"}]
)
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


BRIDGE_FRAMES = (
    '{"bridge":{"error":"going_away"}}',
    ' {"a":1,"bridge" : {}}',
    '{"\\u0062ri\\u0064ge":{}}',
    '{"bridge":1,"bridge":{"notice":"gap"}}',
    '\ufeff{"bridge":{}}',
    '{"a":NaN,"bridge":{}}',
    '{"a":1e400,"b\\u0072idge" :\n{}}',
    '{"a":"\\ud83d","bridge":{}}',
    '{"bridge":{"a":' + "[" * 40 + "]" * 40 + "}}",
    '{"bridge":{},"a":[' + "1," * 30_000 + "1]}",
)


def reading(text: str) -> Any:
    try:
        return read(text)
    except NotJson:
        return None


@pytest.mark.parametrize("text", BRIDGE_FRAMES, ids=lambda text: text[:40])
def test_a_frame_that_could_be_taken_for_the_bridges_own_is_known(text: str) -> None:
    assert speaks_as_the_bridge(text, reading(text))


@pytest.mark.parametrize(
    "text",
    [
        *(
            '{"bridge":1}',
            '{"bridge":{},"bridge":1}',
            '{"a":{"bridge":{}}}',
            '["bridge",{}]',
            '[{"bridge":{}}]',
            "null",
        ),
        *('"bridge":{}', 'see {"bridge":{}}', '{"a":NaN}', '{"a":NaN,"b":"bridge"}', '{"a":NaN,"\\u0061":{}}', ""),
    ],
)
def test_any_other_is_the_clients_own(text: str) -> None:
    assert not speaks_as_the_bridge(text, reading(text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('"a"', "string"),
        ("1", "integer"),
        (str(10**30), "integer"),
        ("1.0", "number"),
        ("1e3", "number"),
        ("true", "boolean"),
        ("null", "null"),
        ("{}", "object"),
        ("[]", "array"),
    ],
)
def test_types_are_those_of_json(text: str, kind: str) -> None:
    assert type_of(read(text)) == kind
