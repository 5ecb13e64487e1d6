"""Every word of V2, and how a V2 frame is read and written. Pure: it never routes and never refuses a text frame.

Decided here: a frame deeper than `MAX_DEPTH` containers is text, like anything else that is not strict JSON. Only the
member that carries a payload may itself be `PAYLOAD_DEPTH` deep: it is how a V3 payload of the full depth, or one with
a stash in it, is said to V2, and what was said must be readable again.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

MAX_DEPTH: Final = 32
PAYLOAD_DEPTH: Final = MAX_DEPTH + 1
MAX_ID_CHARACTERS: Final = 128
DEFAULT_GROUP: Final = "lobby"

MSG_TYPES: Final = ("msg_type", "type")
TARGETS: Final = ("target",)
RECIPIENTS: Final = ("to_id", "to_client_id", "to", "recipient_id")
COMMANDS: Final = ("cmd", "command")
TEXTS: Final = ("msg", "message", "text")
PAYLOADS: Final = ("payload", "data")
CLAIMS: Final = frozenset({"client_id", "from_id", "group_id", "sent_at", "version"})
STASH: Final = "_v2"
BRIDGE: Final = "bridge"

TYPE_WORDS: Final[Mapping[str, str]] = {
    "msg": "msg",
    "message": "msg",
    "chat": "msg",
    "text": "msg",
    "cmd": "cmd",
    "command": "cmd",
    "heartbeat": "heartbeat",
    "ping": "heartbeat",
    "presence": "presence",
}

# A double ends at 1e308: without three digits of exponent it takes two hundred of them to get there.
_LARGE_NUMBER: Final = re.compile(r"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{199})")


class NotJson(ValueError):
    """The frame is text to us: no JSON, no finite numbers, or nested too deep."""


def read(text: str, payload_word: str = "payload") -> Any:
    """The JSON value of a frame; of a doubled key the last value counts. Raises `NotJson`.

    `payload_word` is the name under which this tenant is told a payload that stays whole.
    """
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise NotJson(str(error)) from None
    if _LARGE_NUMBER.search(text) and not is_finite(value):
        raise NotJson("a number is not finite")
    if text.count("{") + text.count("[") > MAX_DEPTH and is_too_deep(value, payload_word):
        raise NotJson(f"nested deeper than {MAX_DEPTH}")
    return value


def write(frame: Any) -> str:
    """A JSON value as the compact text of one frame."""
    return to_json(frame).decode()


def is_recipient(value: Any) -> bool:
    """A recipient is a string of 1 to 128 characters, or an integer."""
    if isinstance(value, str):
        return 1 <= len(value) <= MAX_ID_CHARACTERS
    return isinstance(value, int) and not isinstance(value, bool)


def depth(value: Any) -> int:
    """How many containers deep `value` is; a scalar is 0. Never recursive: the input is hostile."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        container, level = waiting.pop()
        if isinstance(container, dict | list):
            deepest = max(deepest, level)
            members = container.values() if isinstance(container, dict) else container
            waiting.extend((member, level + 1) for member in members)
    return deepest


def is_too_deep(value: Any, payload_word: str = "payload") -> bool:
    """Deeper than a frame may be; an object named `payload_word` is measured by itself."""
    if not isinstance(value, dict) or not isinstance(value.get(payload_word), dict):
        return depth(value) > MAX_DEPTH
    others = {name: member for name, member in value.items() if name != payload_word}
    return depth(others) > MAX_DEPTH or depth(value[payload_word]) > PAYLOAD_DEPTH


def is_finite(value: Any) -> bool:
    """Whether every number in `value` is finite."""
    waiting = [value]
    while waiting:
        member = waiting.pop()
        if isinstance(member, dict):
            waiting.extend(member.values())
        elif isinstance(member, list):
            waiting.extend(member)
        elif isinstance(member, float) and not math.isfinite(member):
            return False
    return True
