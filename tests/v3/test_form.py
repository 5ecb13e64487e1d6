import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from tests.compat.strategies import frames, nested
from v3.form import (
    CONTAINER_WEIGHT,
    ESCAPES_PER_WEIGHT,
    LONG_NUMBER_WEIGHT,
    MAX_WEIGHT,
    TooMuch,
    depth,
    form_of,
    is_finite,
    is_light,
    may_weigh_more,
)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("hello", 0),
        ('"a, [b], {c}: 1.5e3"', 1),
        (r'"a \" , [ \\"', 1),
        ("[1,2,3]", 6 + 2),
        ('{"a":1,"b":"c"}', 6 + 1 + 2 * 3 + 3),
        ("[0.5,1e3,-7.5E+2]", 6 + 2 + 2 * 3 + 2 * 2),
        ("9" * 18, 0),
        ("9" * 19, LONG_NUMBER_WEIGHT),
        (f"[{'9' * 40},{'1' * 18}]", 6 + 1 + 2 * LONG_NUMBER_WEIGHT),
        ('"é, 🜁",[]', 1 + 1 + 6),
    ],
)
def test_what_stands_outside_of_strings_has_weight(text: str, weight: int) -> None:
    assert form_of(text).weight == weight


@pytest.mark.parametrize("text", ["[]" + ",[]" * 3_000, "[" + '"a",' * 9_000, "9" * 20_000, "1" + ",1" * 16_385])
def test_too_much_is_told_without_reading_it(text: str) -> None:
    with pytest.raises(TooMuch) as caught:
        form_of(text)
    assert caught.value.weight > MAX_WEIGHT
    assert form_of(text, caught.value.weight * 2).weight >= caught.value.weight


MANY = ",".join(['"a"'] * 600)
MANY_WEIGHT = 6 + 600 * 2


@pytest.mark.parametrize(
    "text",
    [
        '"a, [b], {c}: 1.5e3"',
        r'"a \" , [ \\"',
        "[1,2,3]",
        '{"a":1,"b":"c, d"}',
        "[0.5,1e3,-7.5E+2]",
        "9" * 40,
        "[NaN]",
        "-Infinity",
        "[ 1e400]",
        '{"Infinity":",1e400"}',
        "9" * 310,
        f'"{"9" * 500}"',
        "[1e99]",
    ],
)
def test_it_weighs_the_same_among_many_strings(text: str) -> None:
    alone, among = form_of(text), form_of(f"[{MANY},{text}]")
    assert (among.weight, among.may_be_infinite) == (alone.weight + MANY_WEIGHT, alone.may_be_infinite)
    assert among.brackets == b"[" + alone.brackets + b"]"


@given(frames)
def test_any_frame_has_the_same_form_among_many_strings(frame: dict[str, Any]) -> None:
    alone, among = form_of(json.dumps(frame)), form_of(f"[{MANY},{json.dumps(frame)}]")
    assert among.weight - MANY_WEIGHT - alone.weight in (0, 1)  # escapes are weighed by the three
    assert (among.brackets[1:-1], among.may_be_infinite) == (alone.brackets, alone.may_be_infinite)


PIECES = (*'"[]{},:-aé', *(r"\"", r"\\", "[]", "{}", "0.", "0e", "1e400", "9" * 19, "NaN", "🜁"))


@given(st.lists(st.sampled_from(PIECES)), st.sampled_from(PIECES), st.integers(0, 2_000))
def test_whatever_a_light_text_holds_it_weighs_no_more_than_allowed(pieces: list[str], piece: str, times: int) -> None:
    text = "".join(pieces) + piece * times
    assert not is_light(text) or form_of(text).weight <= MAX_WEIGHT


@given(frames, st.integers(0, 32), st.integers(0, 3))
def test_what_is_light_is_not_deep(frame: dict[str, Any], levels: int, copies: int) -> None:
    value = nested(levels, [frame] * copies, ("a", "[{"))
    assert not is_light(json.dumps(value)) or depth(value) <= 32


@pytest.mark.parametrize("piece", ["[", "[]", ":", ",", '"', '""', "0.", "0e", "9" * 19, r'"\"', "[0.5e300],"])
def test_what_is_as_long_as_a_light_text_may_be_weighs_no_more_than_allowed(piece: str) -> None:
    assert form_of((piece * 1_706)[:1_706]).weight <= MAX_WEIGHT


@pytest.mark.parametrize("text", ["", "hello", '{"msg":"hi"}', "[" * 32 + "]" * 32, "x" * 1_706])
def test_a_short_text_is_light(text: str) -> None:
    assert is_light(text)


@pytest.mark.parametrize("text", ["[" * 33 + "]" * 33, "x" * 1_707, '{"a":' * 33, '"' + "[" * 33 + '"'])
def test_what_may_be_deep_or_heavy_is_not_light(text: str) -> None:
    assert not is_light(text)


def test_escaped_quotes_have_weight() -> None:
    assert form_of('"' + r"\"" * 300 + '"').weight == 1 + 300 // ESCAPES_PER_WEIGHT


@given(frames)
def test_the_brackets_of_a_text_tell_its_depth(frame: dict[str, Any]) -> None:
    form, levels = form_of(json.dumps(frame)), depth(frame)
    assert not form.is_deeper(levels)
    assert form.is_deeper(levels - 1)


@pytest.mark.parametrize(
    "text", ["[NaN]", "[-Infinity]", "1e400", "1E+400", "1" + "0" * 215 + "e99", "9" * 310, "0e400"]
)
def test_a_number_that_may_be_none_is_suspected(text: str) -> None:
    assert form_of(text).may_be_infinite


@pytest.mark.parametrize("text", ['"NaN"', '{"Infinity":"1e400"}', "1e-400", "1e99", f'"{"9" * 500}"', "[1.5]"])
def test_any_other_is_not(text: str) -> None:
    assert not form_of(text).may_be_infinite


@pytest.mark.parametrize(
    ("value", "levels"),
    [(1, 0), ("[[", 0), ([], 1), ({}, 1), ([{}], 2), ({"a": [1, {"b": []}], "c": 1}, 4)],
    ids=repr,
)
def test_depth_counts_containers(value: Any, levels: int) -> None:
    assert depth(value) == levels


def test_any_depth_can_be_counted() -> None:
    assert depth(nested(3000, 0, ("a", "b"))) == 3000


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(value: float) -> None:
    assert not is_finite(value)
    assert not is_finite({"a": [1, {"b": [value]}]})
    assert is_finite({"a": [1, {"b": [1e308, "Infinity", None]}]})


@given(frames)
def test_a_look_overlooks_no_structure(value: Any) -> None:
    text = to_json(value)
    structure = CONTAINER_WEIGHT * containers_in(value)
    assert may_weigh_more(text, structure - 1) or len(text) * CONTAINER_WEIGHT < structure or not structure


def containers_in(value: Any) -> int:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + sum(map(containers_in, members))


def test_a_look_lets_long_texts_pass() -> None:
    assert not may_weigh_more(b"What is said, is said: " * 400, 2 * MAX_WEIGHT)
    assert not may_weigh_more(b"[" * 3_000, 2 * MAX_WEIGHT)
    assert may_weigh_more(b"[" * 4_000, 2 * MAX_WEIGHT)
