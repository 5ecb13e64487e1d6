"""The V3 message: its fields, and how it is written as JSON.

Pure: it never routes, never reads the clock, never decides who may send what. Source: the Aether V3 guide, section 3.
`said.py` parses messages of clients, `heard.py` messages that arrive on the bus.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, Required

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

SERVER_ID: Final = "server"
SERVER_EVENTS: Final = frozenset({"JOIN", "LEAVE"})
"""The values of `cmd` in presence events."""
DEFAULT_GROUP: Final = "lobby"
MsgType = Literal["msg", "cmd", "heartbeat", "presence"]
Target = Literal["direct", "group", "broadcast", "echo"]
_VISION_ID: Final = re.compile(r"(?!\d{1,64}\Z)[A-Za-z0-9_-]{1,64}", re.ASCII)
ECHOED_FIELDS: Final = ("msg_type", "target", "to_id", "cmd")
"""The fields by which a sender recognises its refused message."""


class Content(TypedDict, total=False):
    """The fields of a message that its sender sets. A field that is not set is absent."""

    msg_type: Required[MsgType]
    target: Required[Target]
    to_id: str
    cmd: str
    msg: str
    payload: dict[str, Any]


_CONTENT_FIELDS: Final = tuple(Content.__annotations__)


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


class Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One V3 message on its way: the fields of `WS_Message_V3`; one that is `None` is not set, and not written."""

    version: Literal["3"]
    msg_type: MsgType
    target: Target
    from_id: str | None = None
    to_id: str | None = None
    group_id: str | None = None
    cmd: str | None = None
    msg: str | None = None
    payload: dict[str, object] | None = None
    sent_at: str | None = None


written: Final[Callable[[object], bytes]] = msgspec.json.Encoder().encode
"""A JSON value as text, UTF-8, on one line and without white space."""


class Problem(TypedDict):
    """One field of a refused message (empty for the whole frame), and what is wrong with it."""

    field: str
    problem: str


class Unreadable(ValueError):
    """Not a valid message.

    `code`: `invalid_json` or `invalid_message`. `problems`: what is wrong with each field. `refused`: fields of the
    message that are repeated in the refusal, so that its sender recognises it.
    """

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


def timestamp(microseconds: int) -> str:
    """Microseconds since the epoch as ISO 8601 in UTC, with six decimals and `Z`."""
    second, fraction = divmod(microseconds, 1_000_000)
    return f"{_date_and_time(second)}.{fraction:06d}Z"


@lru_cache(maxsize=64)
def _date_and_time(second: int) -> str:
    """A second since the epoch as ISO 8601. Messages of one second ask for the same again and again."""
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()  # naive: no offset is written


def content_of(said: Mapping[str, Any]) -> Content:
    """The fields of a message that its sender sets, without those that are not set."""
    return {name: said[name] for name in _CONTENT_FIELDS if said.get(name) is not None}  # type: ignore[return-value]


def echo_of(content: Content) -> dict[str, object]:
    """The fields of a message that are repeated in its refusal."""
    return {name: content[name] for name in ECHOED_FIELDS if name in content}


def line_of(content: Content, from_id: str, group_id: str, sent_at: str) -> Line:
    """The message as listeners receive it, before it is written."""
    to_whom = from_id, content.get("to_id"), group_id
    what = content.get("cmd"), content.get("msg"), content.get("payload")
    return Line("3", content["msg_type"], content["target"], *to_whom, *what, sent_at)


def write(content: Content, from_id: str, group_id: str, sent_at: str) -> bytes:
    """The message as listeners receive it: JSON on one line, UTF-8, its fields in the order of the guide's table."""
    return written(line_of(content, from_id, group_id, sent_at))


def write_members(content: Content, from_id: str, group_id: str, sent_at: str, members: bytes) -> bytes:
    """The message with `members` as `payload.members`. `members` is JSON, made once for all requests of it."""
    others = {name: value for name, value in content.get("payload", {}).items() if name != "members"}
    return write({**content, "payload": others | {"members": msgspec.Raw(members)}}, from_id, group_id, sent_at)


def problem(field: str, problem: str) -> Problem:
    """One field and what is wrong with it, as listed in a refusal."""
    return {"field": field, "problem": problem}
