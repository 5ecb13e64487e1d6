"""The V3 message: what a client may send, what a listener receives, and how both are parsed and written.

Pure: it never routes, never asks the clock, never decides who may send what. Source: the Aether V3 guide, section 3.

Decided here: `null` in an optional field means that the field is not set; `version`, if it is sent, must be `"3"`. A
number that JSON cannot express (`NaN`, `1e400`) makes a frame invalid JSON. A frame with more structure than
`MAX_WEIGHT` (see `form.py`) is refused before it is parsed. On the bus the limit is twice that, because a number may
be longer there than the client wrote it; escapes in a text have no limit there, because they are no structure. `JOIN`
and `LEAVE`, in upper case, are the server's presence events: a client may send them with `presence` only to itself.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, Literal, Required

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import CoreConfig, ErrorDetails, SchemaValidator, to_json
from typing_extensions import TypedDict

from v3 import form

MAX_LINE_WEIGHT: Final = 2 * form.MAX_WEIGHT + 256
MAX_PAYLOAD_DEPTH: Final = 32
MAX_PROBLEMS: Final = 8
MAX_ECHO_CHARACTERS: Final = 128
SERVER_ID: Final = "server"
SERVER_EVENTS: Final = frozenset({"JOIN", "LEAVE"})
"""The `cmd` of presence events."""
DEFAULT_GROUP: Final = "lobby"

MsgType = Literal["msg", "cmd", "heartbeat", "presence"]
Target = Literal["direct", "group", "broadcast", "echo"]

_VISION_ID: Final = re.compile(r"(?!\d{1,64}\Z)[A-Za-z0-9_-]{1,64}", re.ASCII)
_STRICT: Final = ConfigDict(extra="forbid", strict=True)
_CONTENT_FIELDS: Final = ("msg_type", "target", "to_id", "cmd", "msg", "payload")
_ECHOED_FIELDS: Final = ("msg_type", "target", "to_id", "cmd")


class Content(TypedDict, total=False):
    """The fields of a message that its sender sets. A field that is not set is absent."""

    msg_type: Required[MsgType]
    target: Required[Target]
    to_id: str
    cmd: str
    msg: str
    payload: dict[str, Any]


class WS_Message_V3(BaseModel):  # noqa: N801 - the name is the guide's
    """One V3 message as every listener hears it. Direction: server -> client."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal["3"] = Field("3", description="Always `3`. Set by the server.")
    msg_type: MsgType = Field(description="What kind of message this is.")
    target: Target = Field(description="Whom it is for.")
    from_id: str = Field("", description="The sender's client id. Set by the server from the path.")
    to_id: str | None = Field(
        None, description="The recipient's client id; required with target `direct`, refused else."
    )
    group_id: str = Field("", description="The sender's group id. Set by the server from the path.")
    cmd: str | None = Field(None, description="An action keyword, such as `RELOAD_UI`.")
    msg: str | None = Field(None, description="Human-readable text.")
    payload: dict[str, object] | None = Field(None, description="Free key-value data, nested at most 32 deep.")
    sent_at: str = Field("", description="ISO 8601, UTC, microseconds, `Z`. Set by the server.")


@with_config(_STRICT)
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


@with_config(ConfigDict(extra="ignore", strict=True))
class _Unread(TypedDict):
    """An object whose members are not checked."""


@with_config(_STRICT)
class Heard(TypedDict, total=False):
    """A message as it travels on the bus. A field that is not set is absent, or `None` if another service wrote it.

    The members of the payload are not kept, because most listeners receive the line unchanged.
    """

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


_said_by_client: Final = TypeAdapter(_SaidByClient)
_heard: Final = SchemaValidator(TypeAdapter(Heard).core_schema, CoreConfig(cache_strings="none"))
"""Validates a line of the bus, without a cache of strings: see `form.from_json`."""


class Problem(TypedDict):
    """One field of a refused message (empty for the whole frame), and what is wrong with it."""

    field: str
    problem: str


class Unreadable(ValueError):
    """Not a valid message. `code`: `invalid_json` or `invalid_message`; `refused`: fields of it, for the answer."""

    def __init__(
        self, code: str, problems: Iterable[Problem] = (), refused: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.problems = list(problems)
        self.refused = dict(refused or {})


def is_vision_id(value: str) -> bool:
    """Whether a value is a Vision ID: 1 to 64 of `[A-Za-z0-9_-]`, not all digits, and not `server`."""
    return _VISION_ID.fullmatch(value) is not None and value != SERVER_ID


def read_said(text: str) -> dict[str, object]:
    """The message in a client's frame, with the server's fields as the client sent them. Raises `Unreadable`."""
    shape = _form_of(text)
    value = _value_of(text)
    if shape.may_be_infinite and not form.is_finite(value):
        raise Unreadable("invalid_json", [_problem("", "a number is not finite")], _echo(value))
    said = _fields_of(value)
    _check_recipient(said)
    if shape.is_deeper(MAX_PAYLOAD_DEPTH + 1) and form.depth(said.get("payload")) > MAX_PAYLOAD_DEPTH:
        raise Unreadable("invalid_message", [_problem("payload", _TOO_DEEP)], _echo(said))
    return said


def check_event(said: Mapping[str, object]) -> None:
    """Raises `Unreadable` if a client sends a presence event to others: only the server may."""
    if said["msg_type"] == "presence" and said["target"] != "echo" and said.get("cmd") in SERVER_EVENTS:
        problem = _problem("cmd", "is for the server to say, which tells everyone who has come and who has gone")
        raise Unreadable("invalid_message", [problem], _echo(said))


def content_of(said: Mapping[str, Any]) -> Content:
    """The fields of a message that its sender sets, without those that are not set."""
    return {name: said[name] for name in _CONTENT_FIELDS if said.get(name) is not None}  # type: ignore[return-value]


def write(content: Content, from_id: str, group_id: str, sent_at: str) -> bytes:
    """The message as listeners receive it: JSON on one line, UTF-8, its fields in the order of the guide's table."""
    message: dict[str, Any] = {
        "version": "3",
        "msg_type": content["msg_type"],
        "target": content["target"],
        "from_id": from_id,
    }
    if "to_id" in content:
        message["to_id"] = content["to_id"]
    message["group_id"] = group_id
    for name in ("cmd", "msg", "payload"):
        if name in content:
            message[name] = content[name]
    message["sent_at"] = sent_at
    return to_json(message)


def write_members(content: Content, from_id: str, group_id: str, sent_at: str, members: bytes) -> bytes:
    """The message with `members`, JSON that is made once for all who ask, as `payload.members`."""
    others = {name: value for name, value in content.get("payload", {}).items() if name != "members"}
    line = write({**content, "payload": others | {"members": None}}, from_id, group_id, sent_at)
    # The line ends with `null},"sent_at":"…"}`. `{"sent_at":"…"}` is as long as `,"sent_at":"…"}`.
    end = len(line) - len(to_json({"sent_at": sent_at})) - len("}")
    return line[: end - len("null")] + members + line[end:]


def read_heard(line: bytes) -> Heard:
    """The message in a line of the bus, every field checked. Raises `Unreadable`."""
    try:
        shape = _form_on_the_bus(line) if form.may_weigh_more(line, MAX_LINE_WEIGHT) else None
        heard: Heard = _heard.validate_json(line)
        if heard.get("payload") is not None:
            _check_payload(line, shape)
    except ValueError as error:
        raise error if isinstance(error, Unreadable) else Unreadable("invalid_message") from None
    return heard


def _form_on_the_bus(line: bytes) -> form.Form:
    """The form of a line that is not yet parsed. Escapes are free: a text of quotes alone has many, and is allowed."""
    return form.form_of(line.decode(), MAX_LINE_WEIGHT + line.count(b"\\") // form.ESCAPES_PER_WEIGHT)


def _check_payload(line: bytes, shape: form.Form | None) -> None:
    """Raises `ValueError` for too heavy a payload, or a number in it that is not finite. Other fields are strings."""
    shape = shape or form.form_of(line.decode(), MAX_LINE_WEIGHT)
    if shape.weight > MAX_LINE_WEIGHT:
        raise form.TooMuch(shape.weight)
    if shape.may_be_infinite and not form.is_finite(form.from_json(line)):
        raise Unreadable("invalid_json", [_problem("", "a number is not finite")])


def content_in(line: bytes) -> Content:
    """The fields that the sender set, in a line that `read_heard` has checked."""
    return content_of(form.from_json(line))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `WS_Message_V3`, as `GET /v3/schema` and `aether-bridge schema` give it."""
    return WS_Message_V3.model_json_schema()


# Matches a key of an object, another string (which is skipped), or a bracket.
_TOKEN: Final = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(?:\s*(:))?|[\[\]{}]')
_MOST_TOKENS: Final = 500
_FAR_ENOUGH: Final = 8_192
_TOO_DEEP: Final = f"is nested deeper than {MAX_PAYLOAD_DEPTH}; flatten it"
_NO_FIELD: Final = "is no field of WS_Message_V3: put your own data into payload"
_TOO_MUCH: Final = f"holds too many values (their weight is over {form.MAX_WEIGHT}); say it in several messages"
_FIELDS: Final = frozenset(_SaidByClient.__annotations__)


def _form_of(text: str) -> form.Form:
    try:
        return form.form_of(text)
    except form.TooMuch:
        raise Unreadable("invalid_message", [_problem(_deepest_field(text), _TOO_MUCH)]) from None


def _value_of(text: str) -> object:
    try:
        return form.from_json(text, allow_inf_nan=False)
    except ValueError as reason:
        if "recursion limit" in str(reason):
            raise Unreadable("invalid_message", [_problem(_deepest_field(text), _TOO_DEEP)]) from None
        raise Unreadable("invalid_json", [_problem("", str(reason))]) from None


def _fields_of(value: object) -> dict[str, object]:
    """The validated fields of a message. Unknown fields are looked for first, because there may be thousands."""
    unknown = list(islice((name for name in value if name not in _FIELDS), MAX_PROBLEMS)) if type(value) is dict else ()
    if len(unknown) == MAX_PROBLEMS:
        raise Unreadable(
            "invalid_message", [_problem(name[:MAX_ECHO_CHARACTERS], _NO_FIELD) for name in unknown], _echo(value)
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
            problem = _problem("to_id", "is required when target is direct: put the recipient's client id here")
            raise Unreadable("invalid_message", [problem], _echo(said))
    elif to_id is not None:
        problem = _problem("to_id", "is only for target direct; with another target others would hear this message too")
        raise Unreadable("invalid_message", [problem], _echo(said))


def _deepest_field(text: str) -> str:
    """The top-level field that is nested deepest, within `_FAR_ENOUGH` characters. Not recursive."""
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


def _problem(field: str, problem: str) -> Problem:
    return {"field": field, "problem": problem}


def _problem_of(detail: ErrorDetails) -> Problem:
    field = ".".join(str(part) for part in detail["loc"])[:MAX_ECHO_CHARACTERS]
    if detail["type"] == "extra_forbidden":
        return _problem(field, _NO_FIELD)
    if detail["type"] == "dict_type":
        return _problem(field, "Input should be an object")
    return _problem(field, detail["msg"])


def _echo(value: object) -> dict[str, object]:
    """The fields by which a sender recognises its refused message."""
    if not isinstance(value, dict):
        return {}
    said = {name: value[name] for name in _ECHOED_FIELDS if isinstance(value.get(name), str)}
    return {name: text[:MAX_ECHO_CHARACTERS] for name, text in said.items()}
