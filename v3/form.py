"""The form and the weight of a JSON text: how much structure it has, measured before the text is parsed. Pure.

The form is what stands outside the strings, with a `0` for each digit. Frames of V2 and of V3 are both measured here;
this module knows JSON, and no word of either protocol. It never loops over characters: each measurement takes time
linear in the length of the text, whatever the text holds. The results mean nothing for a text that is not JSON; the
parser, which runs afterwards, reports that error.

Decided here: how much structure one frame may have. A parser creates an object for each value, so 60 KB of `[],` cost
twenty times as much as 60 KB of text. The weights follow the cost on the whole way from a client to listeners of both
protocols: an integer in a list weighs 1, a string 1 more, a member of an object 3 more, an object or a list 6 more, a
fraction 3, an exponent 2, each 19 digits in a row 20, and three escaped quotes or backslashes 1. No frame of
`MAX_WEIGHT` costs three times as much as plain text of its length (2.7 times at most, for 60 KB). `MAX_WEIGHT` allows
10,000 integers, 5,000 strings, 2,500 fractions, 300 rows of five named columns, or 1,400 lists. Most frames are too
short to be heavy or deep, whatever stands in them: `is_light` says so at a glance, and they need not be measured.
"""

from functools import partial
from typing import Final, NamedTuple

import pydantic_core
from pydantic_core import to_json

from_json: Final = partial(pydantic_core.from_json, cache_strings="none")
"""The value of a JSON text. Without pydantic's cache of strings, where a client's strings would stay for good."""

MAX_WEIGHT: Final = 10_240
STRING_WEIGHT: Final = 1
ESCAPES_PER_WEIGHT: Final = 3
CONTAINER_WEIGHT: Final = 6
MEMBER_WEIGHT: Final = 3
FRACTION_WEIGHT: Final = 3
EXPONENT_WEIGHT: Final = 2
LONG_NUMBER_WEIGHT: Final = 20
"""For each 19 digits in a row: such a number does not fit a machine integer, and Python converts its digits."""

_MOST_LIGHT_CHARACTERS: Final = MAX_WEIGHT // CONTAINER_WEIGHT
"""A text of so many weighs at most `MAX_WEIGHT`: no character weighs more than one that begins a container."""
_MOST_LIGHT_CONTAINERS: Final = 32

_FORM: Final = bytes.maketrans(b"123456789E{}", b"000000000e[]")
_IGNORED: Final = bytes(set(range(256)) - set(b'"[]{},:.-0123456789eENI'))
"""Bytes that are removed: white space and letters. Kept are `e` and `E`, which mark an exponent, and `N` and `I`, which
begin `NaN` and `Infinity`."""
_WHITE_SPACE: Final = b" \t\r\n"
_NUMBERS: Final = bytes.maketrans(b"123456789-NI[:", b"000000000000,,")
_BEGUN_NUMBER: Final = b",0"
_NO_STRUCTURE: Final = bytes(set(range(256)) - set(b'"[]{},:'))
_CONTAINERS: Final = (dict, list)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]"))
_LONG_NUMBER: Final = b"0" * 19
_ENDLESS_NUMBER: Final = b"0" * 200
"""A double ends at 1e308. A larger number with an exponent of at most two digits has more than two hundred digits."""
_FEW_QUOTES: Final = 512


class TooMuch(ValueError):
    """The text has more structure than allowed. `weight`: a lower bound of its weight."""

    def __init__(self, weight: int) -> None:
        super().__init__("too many values")
        self.weight = weight


class Form(NamedTuple):
    """What a text has outside of its strings: `brackets`, in order, with braces as brackets; and its total `weight`.

    `may_be_infinite`: the text may hold a number that is too large for a double, or `NaN` or `Infinity`.
    """

    brackets: bytes
    weight: int
    may_be_infinite: bool

    def is_deeper(self, most: int) -> bool:
        """Whether containers are nested more than `most` deep."""
        brackets = self.brackets
        for _ in range(most):
            brackets = brackets.replace(b"[]", b"")
        return bool(brackets)


def is_light(text: str) -> bool:
    """Whether it is certain at a glance that a text weighs at most `MAX_WEIGHT`, and is at most 32 containers deep.

    Brackets in strings count too, so of a text that is not light nothing is known: `form_of` measures it. Numbers are
    not looked at: what reads a light text must refuse those that are not finite, as `msgspec` does.
    """
    return len(text) <= _MOST_LIGHT_CHARACTERS and text.count("{") + text.count("[") <= _MOST_LIGHT_CONTAINERS


def form_of(text: str, most: int = MAX_WEIGHT) -> Form:
    """The form of a text. Raises `TooMuch` if it weighs more than `most`."""
    whole_characters = len(text)
    if '\\"' in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    escapes, quotes = (whole_characters - len(text)) // 2, text.count('"')
    if quotes > most:  # each string but one comes with a comma or a colon, which weighs too
        raise TooMuch(quotes)
    if quotes <= _FEW_QUOTES:
        outline = "".join(text.split('"')[::2]).encode(errors="replace").translate(_FORM, _IGNORED)
        return _form_outside(outline, quotes, escapes, most)
    encoded = text.encode(errors="replace")
    skeleton = _outside(encoded.translate(_FORM, _NO_STRUCTURE))
    _check(_structure_weight(skeleton, quotes, escapes), most)
    has_numbers = _BEGUN_NUMBER in encoded.translate(_NUMBERS, _WHITE_SPACE)
    outline = _outside(encoded.translate(_FORM, _IGNORED)) if has_numbers else skeleton
    return _form_outside(outline, quotes, escapes, most)


def may_weigh_more(data: bytes, most: int) -> bool:
    """Whether the containers and members of a text may weigh more than `most`: an estimate that costs almost nothing.

    It also counts what stands inside strings, so it only says which texts must be weighed before they are parsed.
    """
    if len(data) * CONTAINER_WEIGHT <= most:
        return False
    containers = data.count(b"[") + data.count(b"{")
    return CONTAINER_WEIGHT * containers + MEMBER_WEIGHT * data.count(b":") + data.count(b",") > most


def _outside(marks: bytes) -> bytes:
    """The bytes outside of strings. Most strings are empty here: the callers have removed the bytes without meaning."""
    return b"".join(marks.replace(b'""', b"").split(b'"')[::2])


def _structure_weight(marks: bytes, quotes: int, escapes: int) -> int:
    return (
        marks.count(b",")
        + STRING_WEIGHT * (quotes // 2)
        + escapes // ESCAPES_PER_WEIGHT
        + CONTAINER_WEIGHT * marks.count(b"[")
        + MEMBER_WEIGHT * marks.count(b":")
    )


def _check(weight: int, most: int) -> None:
    if weight > most:
        raise TooMuch(weight)


def _form_outside(outline: bytes, quotes: int, escapes: int, most: int) -> Form:
    marks = outline.translate(None, b"0-")
    weight = _structure_weight(marks, quotes, escapes) + FRACTION_WEIGHT * marks.count(b".")
    _check(weight, most)
    has_digits, has_exponents = len(outline) - len(marks) >= len(_LONG_NUMBER), b"e" in marks
    long_numbers = outline.count(_LONG_NUMBER) if has_digits else 0
    weight += LONG_NUMBER_WEIGHT * long_numbers + EXPONENT_WEIGHT * (outline.count(b"0e") if has_exponents else 0)
    _check(weight, most)
    may_be_infinite = (
        b"N" in marks
        or b"I" in marks
        or (has_exponents and b"e000" in outline)
        or (long_numbers >= len(_ENDLESS_NUMBER) // len(_LONG_NUMBER) and _ENDLESS_NUMBER in outline)
    )
    return Form(marks.translate(None, _NO_BRACKETS), weight, may_be_infinite)


def is_finite(value: object) -> bool:
    """Whether every number in a parsed value is finite."""
    return to_json(value) == to_json(value, inf_nan_mode="null")


def depth(value: object) -> int:
    """How many containers deep a parsed value is; a scalar is 0. Not recursive, because the input may be hostile."""
    deepest, level = 0, [value] if isinstance(value, _CONTAINERS) else []
    while level:
        deepest += 1
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, _CONTAINERS)
        ]
    return deepest
