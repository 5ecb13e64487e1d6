"""Conversion of V3 content to V2 frames. Pure. The inverse of `upgrade`, which reads a frame back as the same content.

It never decides who receives a message. What V2 has no word for (presence, heartbeats, echoes) is suppressed: V2
listeners do not receive it. `is_spoken` is the only predicate for this.
"""

from compat.dialect import STANDARD, Dialect
from compat.identity import PLAIN_NAMES, Names
from compat.upgrade import VALUE
from v3.messages import Content


def is_spoken(content: Content) -> bool:
    """Whether V2 can express this content: a `msg` or a `cmd` that is not an echo."""
    return content["msg_type"] in ("msg", "cmd") and content["target"] != "echo"


def downgrade(content: Content, names: Names = PLAIN_NAMES, dialect: Dialect = STANDARD) -> dict[str, object]:
    """The content as a V2 frame. `target` is written only where `upgrade` would not infer it from the rest."""
    said_as = dialect.said_as
    frame: dict[str, object] = {said_as["msg_type"]: content["msg_type"]}
    if "msg" in content:
        frame[said_as["msg"]] = content["msg"]
    if "to_id" in content:
        frame[said_as["to_id"]] = names.v2_id_of(content["to_id"])
    if content["target"] not in ("group", "direct"):
        frame[said_as["target"]] = content["target"]
    if "cmd" in content or "payload" in content:
        frame |= _command_and_payload(content, dialect)
    return frame


def hear(
    content: Content, from_id: str, group_id: str, sent_at: str, names: Names, dialect: Dialect
) -> dict[str, object]:
    """The frame that a V2 listener receives: the content, with its sender, its group and its time.

    `from_id` and `group_id` are V3 names; the frame holds their V2 ids. `sent_at` is ISO 8601.
    """
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
