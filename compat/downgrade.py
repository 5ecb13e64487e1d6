"""V3 words -> V2 words. Pure, and the inverse of upgrade: what it says, upgrade reads back as the same content.

It never decides who hears a message. What V2 has no word for (presence, heartbeats, echoes) is suppressed, by the one
predicate `is_spoken`.
"""

from compat.dialect import STANDARD, Dialect
from compat.identity import PLAIN_NAMES, Names
from compat.upgrade import VALUE
from v3.messages import Content


def is_spoken(content: Content) -> bool:
    """Whether V2 has a word for this at all."""
    return content["msg_type"] in ("msg", "cmd") and content["target"] != "echo"


def downgrade(content: Content, names: Names = PLAIN_NAMES, dialect: Dialect = STANDARD) -> dict[str, object]:
    """The content in V2 words. `target` is said only where upgrade would not guess it."""
    said_as = dialect.said_as
    frame: dict[str, object] = {said_as["msg_type"]: content["msg_type"]}
    if "msg" in content:
        frame[said_as["msg"]] = content["msg"]
    if "to_id" in content:
        frame[said_as["to_id"]] = names.v2_id_of(content["to_id"])
    if content["target"] not in ("group", "direct"):
        frame[said_as["target"]] = content["target"]
    return frame | _command_and_payload(content, dialect)


def hear(
    content: Content, from_id: str, group_id: str, sent_at: str, names: Names, dialect: Dialect
) -> dict[str, object]:
    """The frame for a listener: the content, and who said it where and when."""
    frame = downgrade(content, names, dialect)
    frame["client_id"] = names.v2_id_of(from_id)
    frame["group_id"] = names.v2_id_of(group_id)
    frame["sent_at"] = sent_at
    return frame


def _command_and_payload(content: Content, dialect: Dialect) -> dict[str, object]:
    cmd, payload = content.get("cmd"), content.get("payload")
    liftable = bool(payload) and dialect.words.isdisjoint(payload or {})
    word = dialect.command_words.get(cmd) if cmd is not None else None
    if word is not None and payload is not None and liftable and VALUE in payload:
        rest = {name: value for name, value in payload.items() if name != VALUE}
        return {word: payload[VALUE], **rest}
    frame: dict[str, object] = {} if cmd is None else {dialect.said_as["cmd"]: cmd}
    if payload is None:
        return frame
    return frame | (payload if liftable else {dialect.said_as["payload"]: payload})
