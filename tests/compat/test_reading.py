import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from compat.reading import MAX_DEPTH, PAYLOAD_DEPTH, NotJson, TooMuch, _decode, is_too_deep, read
from tests.compat.strategies import frames, nested
from v3.form import depth, from_json, is_finite

DEEPEST = nested(MAX_DEPTH - 1, 1, ("a", "b"))


@pytest.mark.parametrize("text", ['{"a":[1,null,true,"x",-0.5]}', "[]", "7", "null", '"x"', " {} "])
def test_strict_json_is_read(text: str) -> None:
    assert read(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello", "{", "[1,]", "{'a':1}", "01", '{"a":1}{', "\ufeff{}", "NaN", "Infinity", "-Infinity"),
        *(r'"\ud800"', '"\n"', '{"a":1e400}', "[-1e400]", "1E+400", "1e0400", "9" * 4301),
        *(f"1{'0' * 215}e99", f"[{'9' * 310}.0]", f"-1{'0' * 209}.5e0100"),
        *('{"a":1e400}' + " " * 2_000, "hello " * 400),
    ],
)
def test_what_is_no_strict_json_is_said_so(text: str) -> None:
    with pytest.raises(NotJson):
        read(text)


@pytest.mark.parametrize(
    "text", ['"1e400"', '{"9e999":1}', "1e308", f'"{"9" * 500}"', "9" * 500, "1" + "0" * 200 + "e99", "1e-400"]
)
def test_what_only_looks_infinite_is_read(text: str) -> None:
    assert is_finite(read(text))


SIGNS = st.sampled_from(("", "+", "0", "+00"))


@given(st.integers(0, 400), st.integers(-50, 450), st.sampled_from("eE"), SIGNS, st.sampled_from((0, 2_000)))
def test_a_number_is_read_where_a_double_can_hold_it(
    zeros: int, exponent: int, letter: str, sign: str, blanks: int
) -> None:
    text = f"{' ' * blanks}1{'0' * zeros}{letter}{sign if exponent >= 0 else ''}{exponent}"
    if math.isfinite(float(text)):
        assert read(text) == float(text)
    else:
        with pytest.raises(NotJson):
            read(f'{{"a":[{text}]}}')


ODD_NUMBERS = (
    *("0", "-0", "0.0", "7", "-7e0", "1E+2", "01", "1.", ".5", "1e", "1e400", "-1e0400", "1e-400", "0e999", "5e-324"),
    *("9" * 19, "-9223372036854775809", "9" * 310, f"{'9' * 310}.5", "NaN", "-Infinity", "1.7976931348623159e308"),
)
NUMBERS = st.one_of(st.sampled_from(ODD_NUMBERS), st.floats(allow_nan=False, allow_infinity=False).map(repr))
SPOILS = st.sampled_from(
    ["", ",", ":", '"', "[", "}", "\\", r"\u", r"\ud83d", r"\u0000", "\n", "\x7f", "\ufeff", "é", " ", "7"]
)


@pytest.mark.fuzz
@given(frames, NUMBERS, st.sampled_from(['{"a":%s,"a":%s}', "[%s , %s]"]), st.integers(0), SPOILS)
def test_a_light_text_is_read_as_any_text_is(frame: Any, number: str, around: str, at: int, spoil: str) -> None:
    text = around % (json.dumps(frame, ensure_ascii=bool(at % 2)), number)
    at %= len(text)
    text = text[:at] + spoil + text[at + len(spoil) :]
    try:
        value = _decode(text)
    except ValueError:
        return
    assert to_json(value) == to_json(from_json(text, allow_inf_nan=False))
    assert is_finite(value)


@pytest.mark.parametrize("character", ["\ud800", '"\udfff"'])
def test_what_is_no_unicode_is_not_decoded(character: str) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        _decode(character)


def test_of_a_doubled_key_the_last_value_counts() -> None:
    assert read('{"a":1,"b":2,"a":3}') == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(nested(MAX_DEPTH, 1, ("a", "b")), id="the deepest frame"),
        pytest.param({"payload": nested(PAYLOAD_DEPTH - 2, {"b": {}}, ("a", "b"))}, id="the deepest payload"),
        pytest.param({"payload": {"a": DEEPEST}, "a": DEEPEST}, id="both"),
    ],
)
def test_a_deep_frame_is_read(frame: Any) -> None:
    payload = frame.get("payload", {})
    assert depth(frame) >= MAX_DEPTH
    assert not isinstance(payload, list)
    assert read(json.dumps(frame)) == frame


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(nested(MAX_DEPTH + 1, 1, ("a", "b")), id="an object"),
        pytest.param([DEEPEST, [DEEPEST]], id="a list"),
        pytest.param({"a": {"a": DEEPEST}}, id="a member"),
        pytest.param({"a": {"a": DEEPEST}, "payload": {}}, id="a member beside a payload"),
        pytest.param({"payload": {"a": {"a": {"a": DEEPEST}}}}, id="a payload"),
        pytest.param({"payload": [[DEEPEST]]}, id="a payload that is no object"),
        pytest.param({"data": {"a": {"a": DEEPEST}}}, id="a payload under another word than the one that is said"),
    ],
)
def test_a_frame_that_is_too_deep_is_text(frame: Any) -> None:
    assert is_too_deep(frame)
    with pytest.raises(NotJson):
        read(json.dumps(frame))


def test_a_dialects_word_for_the_payload_may_be_as_deep() -> None:
    frame = {"body": {"a": {"a": DEEPEST}}}
    assert read(json.dumps(frame), "body") == frame
    with pytest.raises(NotJson):
        read(json.dumps({"payload": frame["body"]}), "body")


def test_many_containers_are_not_deep() -> None:
    assert read(json.dumps([[]] * 1000)) == [[]] * 1000


MUCH = "[" + "1," * 20_000 + "1]"
MORE = "[" + "[]," * 20_000 + "1]"


@pytest.mark.parametrize("text", [MUCH, f'{{"a":{MORE}}}', "[" + '"",' * 20_000 + '""]'])
def test_a_frame_with_too_much_structure_is_text(text: str) -> None:
    with pytest.raises(TooMuch):
        read(text)
