"""Parser of the messages that arrive on the bus: each line is one V3 message, and is checked. Pure.

A line may have twice as much structure as a client's frame (`MAX_WEIGHT` in `form.py`), because a number may be longer
here than the client wrote it. The number of escapes in a string has no limit, because they are no structure.

As in `said.py`, the pydantic model is the definition, and nearly all lines are read without it.
"""

from contextlib import suppress
from typing import Final, Literal, Required

import msgspec
from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic_core import CoreConfig, SchemaValidator
from typing_extensions import TypedDict

from v3 import form
from v3.messages import Content, Line, MsgType, Target, Unreadable, content_of, problem

MAX_LINE_WEIGHT: Final = 2 * form.MAX_WEIGHT + 256
MOST_LIGHT_BYTES: Final = MAX_LINE_WEIGHT // form.CONTAINER_WEIGHT
"""A line of so many never weighs more, whatever it holds: nothing weighs more than a byte that begins a container."""


@with_config(ConfigDict(extra="ignore", strict=True))
class _Unread(TypedDict):
    """An object whose members are not checked."""


@with_config(ConfigDict(extra="forbid", strict=True))
class _Heard(TypedDict, total=False):
    """A message as it travels on the bus. A field that is not set is absent, or `None` if another service wrote it."""

    version: Required[Literal["3"]]
    msg_type: Required[MsgType]
    target: Required[Target]
    from_id: str | None
    to_id: str | None
    group_id: str | None
    cmd: str | None
    msg: str | None
    payload: _Unread | None
    sent_at: str | None


_heard: Final = SchemaValidator(TypeAdapter(_Heard).core_schema, CoreConfig(cache_strings="none"))
"""Validates a line of the bus, without a cache of strings: see `form.from_json`."""
_plain: Final = msgspec.json.Decoder(Line).decode


def read_heard(line: bytes) -> Line:
    """The message in a line of the bus; every field is checked. Raises `Unreadable`.

    Of a long payload the members are not kept, because most listeners receive the line unchanged: see `content_in`.
    """
    if len(line) <= MOST_LIGHT_BYTES:
        with suppress(ValueError, RecursionError):
            return _plain(line)
    return _read_by_model(line)


def _read_by_model(line: bytes) -> Line:
    try:
        shape = _form_on_the_bus(line) if form.may_weigh_more(line, MAX_LINE_WEIGHT) else None
        heard: _Heard = _heard.validate_json(line)
        if heard.get("payload") is not None:
            _check_payload(line, shape)
    except ValueError as error:
        raise error if isinstance(error, Unreadable) else Unreadable("invalid_message") from None
    return Line(**heard)  # type: ignore[arg-type]  # `_Unread` has no members


def content_in(line: bytes) -> Content:
    """The fields that the sender set, in a line that `read_heard` has checked."""
    return content_of(form.from_json(line))


def _form_on_the_bus(line: bytes) -> form.Form:
    """The form of a line that is not parsed yet. Escapes do not count: a string of many quotes is allowed."""
    return form.form_of(line.decode(), MAX_LINE_WEIGHT + line.count(b"\\") // form.ESCAPES_PER_WEIGHT)


def _check_payload(line: bytes, shape: form.Form | None) -> None:
    """Raise `ValueError` if the payload is too heavy or has a number that is not finite. Other fields are strings."""
    shape = shape or form.form_of(line.decode(), MAX_LINE_WEIGHT)
    if shape.weight > MAX_LINE_WEIGHT:
        raise form.TooMuch(shape.weight)
    if shape.may_be_infinite and not form.is_finite(form.from_json(line)):
        raise Unreadable("invalid_json", [problem("", "a number is not finite")])
