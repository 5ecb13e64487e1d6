"""The table of the upgrade (protocol, section 5), read a second time: which member of a frame says which field.

The laws are judged by it, so it imports nothing of the translator but the rules that a dialect declares.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from compat.dialect import Rule

TYPES: Final = ("msg", "cmd", "heartbeat", "presence")
TYPE_WORDS: Final = dict.fromkeys(("msg", "message", "chat", "text"), "msg") | {
    **dict.fromkeys(("cmd", "command"), "cmd"),
    **dict.fromkeys(("heartbeat", "ping"), "heartbeat"),
    "presence": "presence",
}
WORDS: Final = {
    "msg_type": ("type",),
    "target": ("target",),
    "to_id": ("to_id", "to_client_id", "to", "recipient_id"),
    "cmd": ("cmd", "command"),
    "msg": ("msg", "message", "text"),
    "payload": ("payload", "data"),
}
COMMAND_WORD: Final = "a command of the dialect"


def meanings(frame: Mapping[str, Any], rules: Mapping[str, Rule]) -> dict[str, str]:
    """Member -> the field that it says. What is not in here is no word of V2's."""

    def first(field: str, fits: Callable[[Any], bool]) -> str | None:
        words = (*WORDS[field], *(word for word, rule in rules.items() if rule.field == field))
        return next((word for word in words if word in frame and fits(frame[word])), None)

    recipient, cmd = first("to_id", is_recipient), first("cmd", is_text)
    target = first(
        "target", lambda value: value in (("group", "broadcast", "direct") if recipient else ("group", "broadcast"))
    )
    is_direct = recipient if target is None else frame[target] == "direct"
    found = {
        "msg_type": "msg_type" if frame.get("msg_type") in TYPES else first("msg_type", is_type_word),
        "target": target,
        "to_id": recipient if is_direct else None,
        "cmd": cmd,
        "msg": first("msg", is_text),
        "payload": first("payload", lambda value: isinstance(value, dict)),
        COMMAND_WORD: command_word(frame, rules) if cmd is None else None,
    }
    return {word: field for field, word in found.items() if word is not None}


def command_word(frame: Mapping[str, Any], rules: Mapping[str, Rule]) -> str | None:
    return next((word for word, rule in rules.items() if rule.cmd is not None and word in frame), None)


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_type_word(value: Any) -> bool:
    return isinstance(value, str) and value in TYPE_WORDS


def is_recipient(value: Any) -> bool:
    """A string of 1 to 128 characters, or a number that equals an integer; `True` is none."""
    return (type(value) in (int, float) and value == int(value)) or (isinstance(value, str) and 1 <= len(value) <= 128)
