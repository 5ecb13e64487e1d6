"""How a V2 frame is read: what it says as JSON, or that it is text to us. Pure, and it never refuses a frame.

Decided here: a frame deeper than `MAX_DEPTH` containers, or with more structure than `MAX_WEIGHT` (see `v3/form.py`),
is text, like anything else that is not strict JSON. Only the member that carries a payload may itself be
`PAYLOAD_DEPTH` deep: it is how a V3 payload of the full depth, or one with a stash in it, is said to V2, and what was
said must be readable again.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json

from v3 import form

MAX_DEPTH: Final = 32
PAYLOAD_DEPTH: Final = MAX_DEPTH + 1


class NotJson(ValueError):
    """The frame is text to us: no JSON, no finite numbers, nested too deep, or too much of it."""


class TooMuch(NotJson):
    """It was not read, since it may have more structure than a frame may have."""


def read(text: str, payload_word: str = "payload") -> Any:
    """The JSON value of a frame; of a doubled key the last value counts. Raises `NotJson`.

    `payload_word` is the name under which this tenant is told a payload that stays whole.
    """
    try:
        shape = form.form_of(text)
        value = from_json(text, allow_inf_nan=False)
    except form.TooMuch:
        raise TooMuch from None
    except ValueError as error:
        raise NotJson(str(error)) from None
    if form.may_be_infinite(shape) and not form.is_finite(value):
        raise NotJson("a number is not finite")
    if form.is_deeper(shape, MAX_DEPTH) and is_too_deep(value, payload_word):
        raise NotJson(f"nested deeper than {MAX_DEPTH}")
    return value


def members_named(text: str, names: Sequence[str]) -> dict[str, str | int]:
    """Those members of a JSON object, of any size, that have one of these names and are a string or an integer."""
    if "\\" not in text and not any(f'"{name}"' in text for name in names):
        return {}
    try:
        return _members(tuple(names)).validate_json(text)  # type: ignore[no-any-return]
    except ValidationError:
        return {}


@lru_cache
def _members(names: tuple[str, ...]) -> SchemaValidator:
    """A reader that makes objects of these members alone; of what else there is it makes nothing."""
    short = core_schema.union_schema([core_schema.str_schema(strict=True), core_schema.int_schema(strict=True)])
    member = core_schema.typed_dict_field(core_schema.with_default_schema(short, on_error="omit"), required=False)
    return SchemaValidator(core_schema.typed_dict_schema(dict.fromkeys(names, member), extra_behavior="ignore"))


def is_too_deep(value: Any, payload_word: str = "payload") -> bool:
    """Deeper than a frame may be; an object named `payload_word` is measured by itself."""
    if not isinstance(value, dict) or not isinstance(value.get(payload_word), dict):
        return form.depth(value) > MAX_DEPTH
    others = {name: member for name, member in value.items() if name != payload_word}
    return form.depth(others) > MAX_DEPTH or form.depth(value[payload_word]) > PAYLOAD_DEPTH
