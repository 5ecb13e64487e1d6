"""The parser for V2 frames: the JSON value of a frame, or the answer that it is plain text. Pure.

A frame that is not strict JSON counts as plain text, and is never refused. Whom it names is read by `address.py`.

Decided here: a frame that is nested deeper than `MAX_DEPTH` containers, or has more structure than `MAX_WEIGHT` (see
`v3/form.py`), counts as text too. Only the member that carries the payload may itself be `PAYLOAD_DEPTH` deep. V2
listeners receive a V3 payload of the full depth, or one that contains a stash, in that member; the bridge must be able
to read back each frame that it has written.
"""

from typing import Any, Final

import msgspec

from v3 import form

MAX_DEPTH: Final = 32
PAYLOAD_DEPTH: Final = MAX_DEPTH + 1


class NotJson(ValueError):
    """The frame counts as text: it is not JSON, has a number that is not finite, or too much depth or structure."""


class TooMuch(NotJson):
    """The frame was not parsed, because it has more structure than a frame may have."""

    def __init__(self) -> None:
        super().__init__("too many values")


_decode: Final = msgspec.json.Decoder().decode
"""The value of a JSON text, sooner than `form.from_json`. It refuses whatever that refuses, and endless numbers too.

It keeps a few hundred short keys, and no values.
"""


def read(text: str, payload_word: str = "payload") -> Any:
    """The JSON value of a frame; of a doubled key the last value counts. Raises `NotJson`.

    `payload_word`: the key under which this tenant's V2 listeners receive a payload that is kept as one object.
    """
    if form.is_light(text):
        try:
            return _decode(text)
        except ValueError:  # it is no JSON, or has a number that no double can hold
            return _finite(_value_of(text))
    try:
        shape = form.form_of(text)
    except form.TooMuch:
        raise TooMuch from None
    value = _value_of(text)
    if shape.is_deeper(MAX_DEPTH) and is_too_deep(value, payload_word):
        raise NotJson(f"nested deeper than {MAX_DEPTH}")
    return _finite(value) if shape.may_be_infinite else value


def _value_of(text: str) -> Any:
    try:
        return form.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise NotJson(str(error)) from None


def _finite(value: object) -> object:
    if form.is_finite(value):
        return value
    raise NotJson("a number is not finite")


def is_too_deep(value: object, payload_word: str = "payload") -> bool:
    """Whether a value is nested deeper than a frame may be. An object under `payload_word` is measured by itself."""
    if not isinstance(value, dict) or not isinstance(value.get(payload_word), dict):
        return form.depth(value) > MAX_DEPTH
    others = {name: member for name, member in value.items() if name != payload_word}
    return form.depth(others) > MAX_DEPTH or form.depth(value[payload_word]) > PAYLOAD_DEPTH
