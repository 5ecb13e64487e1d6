"""The vocabulary of V2 (its keys and message types), and how a V2 frame is written. Pure: it never routes.

Decided here: the key `bridge` is reserved for the bridge's own refusals and notices. V2 listeners receive a frame byte
for byte, so a client that sends this key could pretend to be the bridge. A frame whose top level has an object under
this key, plain or escaped, is refused to its sender. Any other value under this key belongs to the client.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

from pydantic_core import to_json

JsonType = Literal["string", "integer", "number", "boolean", "null", "object", "array"]

MAX_ID_CHARACTERS: Final = 128
DEFAULT_GROUP: Final = "lobby"

MSG_TYPE: Final = "msg_type"
MSG_TYPES: Final = (MSG_TYPE, "type")
"""The first is V3's: it knows no other types than the four of V3."""
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


def write(frame: object) -> str:
    """A JSON value as the text of one frame, without white space."""
    return write_bytes(frame).decode()


def write_bytes(frame: object) -> bytes:
    """The same, as UTF-8."""
    return to_json(frame)


_BEGUN: Final = (f'"{BRIDGE[0]}', rf'"\u00{ord(BRIDGE[0]):x}')
"""The first characters of the quoted key, plain and escaped. A text with neither is not searched further."""
_ANY_OBJECT: Final = re.compile(r":\s*\{")
_BRIDGE_OBJECT: Final = re.compile(rf'"{BRIDGE}"\s*:\s*\{{')


def speaks_as_the_bridge(text: str, frame: object) -> bool:
    """Whether V2 listeners could take a client's frame for a message of the bridge itself.

    `frame` is the parsed value, or `None` if the frame counts as text. Other JSON parsers accept much of what counts
    as text here; in such a frame an object under the key counts at any depth.
    """
    if frame is not None:
        return isinstance(frame, dict) and isinstance(frame.get(BRIDGE), dict)
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    if _ANY_OBJECT.search(text) is None or all(begun not in text for begun in _BEGUN):
        return False
    if r"\u00" in text:
        for letter in BRIDGE:
            text = text.replace(rf"\u00{ord(letter):x}", letter)
    return f'"{BRIDGE}"' in text and _BRIDGE_OBJECT.search(text) is not None


def recipient_of(value: object) -> str | int | None:
    """The id that a value names: a string of 1 to 128 characters, or an integer, also written `7.0`; else `None`."""
    if isinstance(value, str):
        return value if 1 <= len(value) <= MAX_ID_CHARACTERS else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_recipient(value: object) -> bool:
    """Whether a value can name a recipient."""
    return recipient_of(value) is not None


def type_of(value: object) -> JsonType:
    """The JSON type of a parsed value."""
    return _TYPES[type(value)]


_TYPES: Final[dict[type, JsonType]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}
