"""One line of one language -> one line of the other, content alone: who said it, where and when stays out. Pure.

It never decides who hears a message. What the other side would not hear is `suppressed`; V2's heartbeats have words in
V3 all the same, and are given in them.

Decided here: a V3 line may be what `upgrade` made of a frame, and then its payload may be one level deeper than what a
client may say: what went to the stash is. Its recipient must be one that V2 can name and that comes back the same.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from compat.dialect import STANDARD, Dialect
from compat.downgrade import downgrade, is_spoken
from compat.identity import PLAIN_NAMES
from compat.reading import NotJson, read
from compat.upgrade import EXACT, SUPPRESSED, Outcome, Upgraded, upgrade_text
from legacy_v2 import frames
from v3.form import depth
from v3.messages import MAX_PAYLOAD_DEPTH, Content, Unreadable, content_of, read_said

REFUSED: Final = "refused"
NOT_UTF_8: Final = "is not UTF-8; no client can have sent it as text"


@dataclass(frozen=True, slots=True)
class Converted:
    """`line` is compact JSON in UTF-8, or `None` where there is nothing to say; `problem` says what was refused."""

    line: bytes | None
    outcome: Outcome | Literal["refused"]
    problem: str = ""


def to_v3(line: bytes, dialect: Dialect = STANDARD) -> Converted:
    """A V2 frame, as a client would send it, in V3 words. Only what is not UTF-8 is refused."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return Converted(None, REFUSED, NOT_UTF_8)
    upgraded = upgrade_text(text, PLAIN_NAMES, dialect)
    return Converted(to_json(upgraded.content), outcome_of(upgraded))


def to_v2(line: bytes, dialect: Dialect = STANDARD) -> Converted:
    """A V3 message in V2 words; the server's fields are passed over."""
    try:
        content = read_message(line.decode())
    except UnicodeDecodeError:
        return Converted(None, REFUSED, NOT_UTF_8)
    except Unreadable as unreadable:
        return Converted(None, REFUSED, _sentence(unreadable))
    if not is_spoken(content):
        return Converted(None, SUPPRESSED)
    return Converted(to_json(downgrade(content, PLAIN_NAMES, dialect)), EXACT)


def outcome_of(upgraded: Upgraded) -> Outcome:
    """What became of a frame on its way to V3: a heartbeat is heard by no V3 client."""
    return SUPPRESSED if upgraded.content["msg_type"] == "heartbeat" else upgraded.outcome


def read_message(text: str) -> Content:
    """The content of a V3 message, said by a client or made by `upgrade`. Raises `Unreadable`."""
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
    """A message whose payload is deeper than a client's, but not deeper than a stash makes it; `None` if it is not."""
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
