"""The upgrade of plain frames, the commonest ones, in a third of the time that `upgrade.py` takes for any frame. Pure.

In a plain frame each member has a place of its own in the content: no two words stand for one field, each word says
what may be said there, and nothing claims what only the server says. This module never decides anything by itself: it
returns what `upgrade.py` would return, and nothing for any other frame.
"""

from typing import Any, Final, cast

from compat.dialect import COMMAND, Dialect
from compat.identity import Names
from legacy_v2 import frames
from v3.messages import Content

Members = dict[str, Any]

_NOWHERE: Final[tuple[str, tuple[type, ...]]] = ("", ())
_FOR_MANY: Final = (None, "group", "broadcast")
_FOR_ONE: Final = (None, "direct")


def plain_content(frame: Members, names: Names, dialect: Dialect) -> Content | None:
    """The content of a plain frame; `None` if the frame is not plain."""
    if not frames.CLAIMS.isdisjoint(frame):
        return None
    said: Members = {}
    others: Members = {}
    places = dialect.places
    for word, value in frame.items():
        field, types = places.get(word, _NOWHERE)
        if type(value) not in types or (field == "msg_type" and value not in frames.TYPE_WORDS):
            others[word] = value
        else:
            said[field] = value
    if len(said) + len(others) < len(frame) or COMMAND in said:
        return None
    msg_type = _msg_type(said, frame)
    content = None if msg_type is None else _addressed(msg_type, said, names)
    return None if content is None else _filled(content, said, others)


def _msg_type(said: Members, frame: Members) -> str | None:
    written = said.get("msg_type")
    if written is None:
        return "cmd" if "cmd" in said else "msg"
    msg_type = frames.TYPE_WORDS[written]
    is_another = msg_type != written and frames.MSG_TYPE in frame
    return None if is_another or msg_type == "presence" else msg_type


def _addressed(msg_type: str, said: Members, names: Names) -> Members | None:
    target, named = said.get("target"), said.get("to_id")
    if named is None:
        return {"msg_type": msg_type, "target": target or "group"} if target in _FOR_MANY else None
    recipient = frames.recipient_of(named)
    if recipient is None or target not in _FOR_ONE:
        return None
    return {"msg_type": msg_type, "target": "direct", "to_id": names.name_of(recipient)}


def _filled(content: Members, said: Members, others: Members) -> Content | None:
    if "cmd" in said:
        content["cmd"] = said["cmd"]
    if "msg" in said:
        content["msg"] = said["msg"]
    if "payload" in said:
        if not others.keys().isdisjoint(said["payload"]):
            return None
        content["payload"] = said["payload"] | others
    elif others:
        content["payload"] = others
    return cast(Content, content)
