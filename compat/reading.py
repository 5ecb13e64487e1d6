"""The parser for V2 frames: the JSON value of a frame, or the answer that it is plain text. Pure.

A frame that is not strict JSON counts as plain text. It is never refused.

Decided here: a frame that is nested deeper than `MAX_DEPTH` containers, or has more structure than `MAX_WEIGHT` (see
`v3/form.py`), counts as text too. Only the member that carries the payload may itself be `PAYLOAD_DEPTH` deep. V2
listeners receive a V3 payload of the full depth, or one that contains a stash, in that member; the bridge must be able
to read back each frame that it has written.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from v3 import form

MAX_DEPTH: Final = 32
PAYLOAD_DEPTH: Final = MAX_DEPTH + 1
MOST_ADDRESS_BYTES: Final = 1_024
"""Of a recipient as JSON text: 128 characters, each possibly escaped."""
MOST_LOOKS: Final = 16
"""Occurrences of a key that are tried in a text which cannot be parsed."""
_SHORT_VALUE: Final = re.compile(r'\s*:\s*("[^"\\\x00-\x1f]{1,128}"|-?[1-9][0-9]{0,18}(?![0-9.eE]))')


class NotJson(ValueError):
    """The frame counts as text: it is not JSON, has a number that is not finite, or too much depth or structure."""


class TooMuch(NotJson):
    """The frame was not parsed, because it has more structure than a frame may have."""

    def __init__(self) -> None:
        super().__init__("too many values")


def read(text: str, payload_word: str = "payload") -> Any:
    """The JSON value of a frame; of a doubled key the last value counts. Raises `NotJson`.

    `payload_word`: the key under which this tenant's V2 listeners receive a payload that is kept as one object.
    """
    try:
        shape = form.form_of(text)
        value = form.from_json(text, allow_inf_nan=False)
    except form.TooMuch:
        raise TooMuch from None
    except ValueError as error:
        raise NotJson(str(error)) from None
    if shape.may_be_infinite and not form.is_finite(value):
        raise NotJson("a number is not finite")
    if shape.is_deeper(MAX_DEPTH) and is_too_deep(value, payload_word):
        raise NotJson(f"nested deeper than {MAX_DEPTH}")
    return value


def address_of(text: str, recipients: Sequence[str], targets: Sequence[str]) -> dict[str, object]:
    """The members that address a frame that was `TooMuch`: the strings and integers under these keys.

    Empty if the text is not JSON. If the frame is nested too deep even for this, each key of `recipients` is searched
    for in the whole text, and its first usable value counts: a message for one client must never reach all of them.
    """
    try:
        members = _finder_of(*recipients, *targets).decode(text)
    except msgspec.DecodeError:
        return {}
    except RecursionError:
        return {name: value for name in recipients if (value := _first_value(text, name)) is not None}
    found = zip((*recipients, *targets), map(_short_value, msgspec.structs.astuple(members)), strict=True)
    return {name: value for name, value in found if type(value) in (str, int)}


@lru_cache
def _finder_of(*names: str) -> msgspec.json.Decoder[Any]:
    """A decoder that returns these members of an object as raw JSON text, and creates no objects for the others."""
    fields = {f"member_{number}": name for number, name in enumerate(names)}
    members = [(field, msgspec.Raw, msgspec.Raw()) for field in fields]
    return msgspec.json.Decoder(msgspec.defstruct("Members", members, rename=fields))


def _short_value(written: msgspec.Raw) -> object:
    try:
        return form.from_json(bytes(written)) if len(written) <= MOST_ADDRESS_BYTES else None
    except ValueError:
        return None


def _first_value(text: str, name: str) -> object:
    word, at = f'"{name}"', -1
    for _ in range(MOST_LOOKS):
        at = text.find(word, at + 1)
        if at < 0:
            break
        value = _SHORT_VALUE.match(text, at + len(word))
        if value is not None:
            return form.from_json(value[1])
    return None


def is_too_deep(value: object, payload_word: str = "payload") -> bool:
    """Whether a value is nested deeper than a frame may be. An object under `payload_word` is measured by itself."""
    if not isinstance(value, dict) or not isinstance(value.get(payload_word), dict):
        return form.depth(value) > MAX_DEPTH
    others = {name: member for name, member in value.items() if name != payload_word}
    return form.depth(others) > MAX_DEPTH or form.depth(value[payload_word]) > PAYLOAD_DEPTH
