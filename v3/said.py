"""Parser of the messages that V3 clients send: returns the fields of a message, or the problems of each field. Pure.

Decided here:

- `null` in an optional field means that the field is not set.
- `version`, if it is sent, must be `"3"`.
- A number that JSON cannot express (`NaN`, `1e400`) makes a frame invalid JSON.
- A frame with more structure than `MAX_WEIGHT` (see `form.py`) is refused before it is parsed.
- `JOIN` and `LEAVE`, in upper case, are the server's presence events. A client may send them with `presence` only to
  itself (target `echo`).

What a frame may be is defined by the pydantic model, which also says what is wrong with it. Nearly all frames are read
without it, by msgspec, in a tenth of the time; whatever that does not take for a message is read again by the model.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Final, Literal, Required

import msgspec
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from v3 import form
from v3.messages import ECHOED_FIELDS, SERVER_EVENTS, Content, MsgType, Problem, Target, Unreadable, content_of, problem

MAX_PAYLOAD_DEPTH: Final = 32
MAX_PROBLEMS: Final = 8
MAX_ECHO_CHARACTERS: Final = 128
_MOST_TOKENS: Final = 500
_FAR_ENOUGH: Final = 8_192
# Matches a key of an object, another string (which is skipped), or a bracket.
_TOKEN: Final = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(?:\s*(:))?|[\[\]{}]')
_TOO_DEEP: Final = f"is nested deeper than {MAX_PAYLOAD_DEPTH}; flatten it"
_NO_FIELD: Final = "is no field of WS_Message_V3: put your own data into payload"
_NO_MESSAGE: Final = "should be an object (over Socket.IO: the one argument of the event `message`)"
_TOO_MUCH: Final = f"holds too many values (their weight is over {form.MAX_WEIGHT}); say it in several messages"


@with_config(ConfigDict(extra="forbid", strict=True))
class _SaidByClient(TypedDict, total=False):
    """A message as a client sends it. The server's fields may hold any JSON value; `content_of` discards them."""

    version: Literal["3"]
    msg_type: Required[MsgType]
    target: Required[Target]
    from_id: object
    to_id: str | None
    group_id: object
    cmd: str | None
    msg: str | None
    payload: dict[str, object] | None
    sent_at: object


_said_by_client: Final = TypeAdapter(_SaidByClient)
_FIELDS: Final = frozenset(_SaidByClient.__annotations__)


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The same message where nothing is wrong with it."""

    msg_type: MsgType
    target: Target
    version: Literal["3"] = "3"
    from_id: object = None
    to_id: str | None = None
    group_id: object = None
    cmd: str | None = None
    msg: str | None = None
    payload: dict[str, object] | None = None
    sent_at: object = None


_plain: Final = msgspec.json.Decoder(_Plain).decode


def read_content(text: str) -> Content:
    """What the sender of a frame says, without the server's fields; events that only the server says are refused.

    Raises `Unreadable`.
    """
    if form.is_light(text):
        try:
            said = _plain(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            pass
        else:
            if said.msg_type != "presence" and (said.to_id is None) != (said.target == "direct") and said.to_id != "":
                return _content_of_plain(said)
    read = read_said(text)
    check_event(read)
    return content_of(read)


def _content_of_plain(said: _Plain) -> Content:
    content: Content = {"msg_type": said.msg_type, "target": said.target}
    if said.to_id is not None:
        content["to_id"] = said.to_id
    if said.cmd is not None:
        content["cmd"] = said.cmd
    if said.msg is not None:
        content["msg"] = said.msg
    if said.payload is not None:
        content["payload"] = said.payload
    return content


def read_said(text: str) -> dict[str, object]:
    """The message in a client's frame, with the server's fields as the client sent them. Raises `Unreadable`."""
    shape = _form_of(text)
    value = _value_of(text)
    if shape.may_be_infinite and not form.is_finite(value):
        raise Unreadable("invalid_json", [problem("", "a number is not finite")], _echo(value))
    said = _fields_of(value)
    _check_recipient(said)
    if shape.is_deeper(MAX_PAYLOAD_DEPTH + 1) and form.depth(said.get("payload")) > MAX_PAYLOAD_DEPTH:
        raise Unreadable("invalid_message", [problem("payload", _TOO_DEEP)], _echo(said))
    return said


def check_event(said: Mapping[str, object]) -> None:
    """Raise `Unreadable` if a client sends a presence event to others: only the server may."""
    if said["msg_type"] == "presence" and said["target"] != "echo" and said.get("cmd") in SERVER_EVENTS:
        found = problem("cmd", "is for the server to say, which tells everyone who has come and who has gone")
        raise Unreadable("invalid_message", [found], _echo(said))


def _form_of(text: str) -> form.Form:
    try:
        return form.form_of(text)
    except form.TooMuch:
        raise Unreadable("invalid_message", [problem(_deepest_field(text), _TOO_MUCH)]) from None


def _value_of(text: str) -> object:
    try:
        return form.from_json(text, allow_inf_nan=False)
    except ValueError as reason:
        if "recursion limit" in str(reason):
            raise Unreadable("invalid_message", [problem(_deepest_field(text), _TOO_DEEP)]) from None
        raise Unreadable("invalid_json", [problem("", str(reason))]) from None


def _fields_of(value: object) -> dict[str, object]:
    """The validated fields of a message. Raises `Unreadable`.

    Unknown fields are looked for first, because there may be thousands, and validation would report each of them.
    """
    unknown = list(islice((name for name in value if name not in _FIELDS), MAX_PROBLEMS)) if type(value) is dict else ()
    if len(unknown) == MAX_PROBLEMS:
        raise Unreadable(
            "invalid_message", [problem(name[:MAX_ECHO_CHARACTERS], _NO_FIELD) for name in unknown], _echo(value)
        )
    try:
        return dict(_said_by_client.validate_python(value))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise Unreadable("invalid_message", map(_problem_of, details[:MAX_PROBLEMS]), _echo(value)) from None


def _check_recipient(said: Mapping[str, object]) -> None:
    to_id = said.get("to_id")
    if said["target"] == "direct":
        if not to_id:
            found = problem("to_id", "is required when target is direct: put the recipient's client id here")
            raise Unreadable("invalid_message", [found], _echo(said))
    elif to_id is not None:
        found = problem("to_id", "is only for target direct; with another target others would hear this message too")
        raise Unreadable("invalid_message", [found], _echo(said))


def _deepest_field(text: str) -> str:
    """The name of the top-level field with the deepest nesting in the first `_FAR_ENOUGH` characters. Not recursive."""
    depth, deepest, field, found = 0, 0, "", ""
    for token in islice(_TOKEN.finditer(text, 0, _FAR_ENOUGH), _MOST_TOKENS):
        mark = token[0][0]
        if mark in "[{":
            depth += 1
            if depth > deepest:
                deepest, found = depth, field
        elif mark in "]}":
            depth -= 1
        elif depth == 1 and token[2] is not None:
            field = token[1]
    return found[:MAX_ECHO_CHARACTERS]


def _problem_of(detail: ErrorDetails) -> Problem:
    field = ".".join(str(part) for part in detail["loc"])[:MAX_ECHO_CHARACTERS]
    if detail["type"] == "extra_forbidden":
        return problem(field, _NO_FIELD)
    if detail["type"] == "dict_type":
        return problem(field, "Input should be an object" if field else _NO_MESSAGE)
    return problem(field, detail["msg"])


def _echo(value: object) -> dict[str, object]:
    """The fields by which a sender recognises its refused message."""
    if not isinstance(value, dict):
        return {}
    said = {name: value[name] for name in ECHOED_FIELDS if isinstance(value.get(name), str)}
    return {name: text[:MAX_ECHO_CHARACTERS] for name, text in said.items()}
