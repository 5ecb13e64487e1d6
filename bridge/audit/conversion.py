"""Converts one message from V2 to V3 or back: only its content, without sender, group and time. Pure.

It never decides who receives a message. Content that the other version does not transmit is `suppressed`. A V2
heartbeat is suppressed too, but its V3 form is returned all the same.

Decided here: a V3 line may be the output of `upgrade`, and then its payload may be one level deeper than a client's
payload, because of the stash. Its recipient must be one that V2 can name, and must be the same after conversion to V2
and back.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from compat.dialect import STANDARD, Dialect
from compat.downgrade import downgrade, is_spoken
from compat.identity import PLAIN_NAMES
from compat.reading import NotJson, read
from compat.upgrade import EXACT, SUPPRESSED, Outcome, outcome_of, upgrade_text
from legacy_v2 import frames
from v3.form import depth
from v3.messages import Content, Unreadable, content_of
from v3.said import MAX_PAYLOAD_DEPTH, read_said

REFUSED: Final = "refused"
NOT_UTF_8: Final = "is not UTF-8; no client can have sent it as text"


@dataclass(frozen=True, slots=True)
class Converted:
    """The result of a conversion.

    `line`: compact JSON in UTF-8, or `None` if there is no output. `problem`: why the input was refused, else empty.
    """

    line: bytes | None
    outcome: Outcome | Literal["refused"]
    problem: str = ""


def to_v3(line: bytes, dialect: Dialect = STANDARD) -> Converted:
    """Convert a V2 frame, as a client would send it, to V3. Only text that is not UTF-8 is refused."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return Converted(None, REFUSED, NOT_UTF_8)
    upgraded = upgrade_text(text, PLAIN_NAMES, dialect)
    return Converted(to_json(upgraded.content), outcome_of(upgraded))


def to_v2(line: bytes, dialect: Dialect = STANDARD) -> Converted:
    """Convert a V3 message to V2. Fields that only the server sets are ignored."""
    try:
        content = read_message(line.decode())
    except UnicodeDecodeError:
        return Converted(None, REFUSED, NOT_UTF_8)
    except Unreadable as unreadable:
        return Converted(None, REFUSED, _sentence(unreadable))
    if not is_spoken(content):
        return Converted(None, SUPPRESSED)
    return Converted(to_json(downgrade(content, PLAIN_NAMES, dialect)), EXACT)


def read_message(text: str) -> Content:
    """The content of a V3 message, sent by a client or made by `upgrade`. Raises `Unreadable`."""
    try:
        said = read_said(text)
    except Unreadable:
        deeper = _read_deeper(text)
        if deeper is None:
            raise
        said = deeper
    content = content_of(said)
    if "to_id" in content and not _comes_back(content["to_id"]):
        raise Unreadable("invalid_message", [{"field": "to_id", "problem": "is no Vision ID, and no V2 id's name"}])
    return content


def _read_deeper(text: str) -> dict[str, object] | None:
    """A message whose payload is deeper than a client's may be, but not deeper than a stash makes it; else `None`."""
    try:
        value = read(text)
    except NotJson:
        return None
    payload = value.get("payload") if isinstance(value, dict) else None
    if not isinstance(payload, dict) or depth(payload) <= MAX_PAYLOAD_DEPTH:
        return None
    return read_said(to_json({**value, "payload": None}).decode()) | {"payload": payload}


def _comes_back(name: str) -> bool:
    v2_id = PLAIN_NAMES.v2_id_of(name)
    return frames.is_recipient(v2_id) and PLAIN_NAMES.name_of(v2_id) == name


def _sentence(unreadable: Unreadable) -> str:
    said = "; ".join(f"{problem['field']} {problem['problem']}".strip() for problem in unreadable.problems)
    return f"is no JSON: {said}" if unreadable.code == "invalid_json" else said
