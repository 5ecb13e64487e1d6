"""The form of a JSON text: what stands outside its strings, each digit a `0`. Pure, and never a loop over characters.

Both languages are read so: this knows JSON, and no word of either. All that is asked here of a text takes time linear
in its length, whatever it holds, and is asked before anything is read. Of a text that is no JSON the answers mean
nothing; whoever reads it says so.

Decided here: how much structure one frame may hold. Reading makes an object of each value, so that 60 KB of `[],`
cost thirty times what 60 KB of text cost. Measured for 65,536 bytes on the whole way, from a V3 client to listeners of
both languages, in units of the cheapest value (an integer in a list, 50 ns): another member of an object costs 5, an
object or a list 6, a fraction 2 more, an exponent 2 more, and each 20 digits in a row 20. `MAX_WEIGHT` of them cost
0.8 ms, so that no frame costs three times as much as text of its length (0.45 ms). That is 16,000 numbers, 5,000
fractions, 500 rows of five named columns, or 2,300 lists in lists.
"""

from typing import Final

from pydantic_core import to_json

MAX_WEIGHT: Final = 16_384
CONTAINER_WEIGHT: Final = 6
MEMBER_WEIGHT: Final = 4
FRACTION_WEIGHT: Final = 2
EXPONENT_WEIGHT: Final = 2
LONG_NUMBER_WEIGHT: Final = 20
"""Of each 20 digits in a row: such numbers are no machine's, and their digits are counted out in Python."""

_FORM: Final = bytes.maketrans(b"123456789E{}", b"000000000e[]")
_IGNORED: Final = b" \t\r\n+"
_CONTAINERS: Final = (dict, list)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]"))
_MANY_DIGITS: Final = b"0" * 200
"""A double ends at 1e308: without three digits of exponent it takes two hundred of them to get there."""


class TooMuch(ValueError):
    """There is more structure in the text than its reader allows."""


def form_of(text: str, most: int = MAX_WEIGHT) -> bytes:
    """Brackets, commas, colons and numbers. Raises `TooMuch` where they weigh more than `most`."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    quotes = 2 * most + 2  # a string weighs one at least
    pieces = text.split('"', quotes)
    if len(pieces) > quotes:
        raise TooMuch
    form = "".join(pieces[::2]).encode(errors="replace").translate(_FORM, _IGNORED)
    if weight(form) > most:
        raise TooMuch
    return form


def weight(form: bytes) -> int:
    """What reading it costs, in plain values."""
    return (
        form.count(b",")
        + CONTAINER_WEIGHT * form.count(b"[")
        + MEMBER_WEIGHT * form.count(b":")
        + FRACTION_WEIGHT * form.count(b".")
        + EXPONENT_WEIGHT * form.count(b"0e")
        + LONG_NUMBER_WEIGHT * form.count(b"0" * LONG_NUMBER_WEIGHT)
    )


def is_deeper(form: bytes, most: int) -> bool:
    """Whether containers stand in each other more than `most` deep."""
    if form.count(b"[") <= most:
        return False
    brackets = form.translate(None, _NO_BRACKETS)
    for _ in range(most):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def may_be_infinite(form: bytes) -> bool:
    """Whether a number in it may be none that a double holds, or no number at all."""
    return b"N" in form or b"I" in form or b"e000" in form or _MANY_DIGITS in form


def is_finite(value: object) -> bool:
    """Whether every number in a value that was read is finite."""
    return to_json(value) == to_json(value, inf_nan_mode="null")


def depth(value: object) -> int:
    """How many containers deep a value is; a scalar is 0. Never recursive: the input is hostile."""
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
