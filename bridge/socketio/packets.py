"""Parser and writer of Engine.IO 4 packets, and of the Socket.IO 5 packets in them. Pure.

V2 and V3 are JSON: of a packet with binary attachments only its beginning is read, so that it can be refused. The
content of a client's event is passed on as the exact text that the client sent. It must never interpret a message.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from bridge.continuity.positions import UNKNOWN
from v3.form import MAX_WEIGHT, TooMuch, form_of, from_json

EVENT: Final = "message"
MAX_AUTH_WEIGHT: Final = 1_000
"""Weight (see `v3/form.py`) of the JSON in a CONNECT packet: a few names with strings."""
_ENVELOPE_WEIGHT: Final = 16
"""Weight of the `["message",…]` around a message."""
BEGINNING_CHARACTERS: Final = 2_048
SEPARATOR: Final = b"\x1e"
"""Separates packets. This byte cannot occur in JSON text."""

GOODBYE, PONG, PROBE, UPGRADE = "1", "3", "2probe", "5"
"""The Engine.IO packets of a client, besides messages. The last two come over a WebSocket that wants to take over."""
CLOSE, PING, PROBED, NOOP = b"1", b"2", b"3probe", b"6"
"""The Engine.IO packets of the server, besides OPEN and messages."""
MESSAGE: Final = "4"
"""The Engine.IO packet type that is written before each Socket.IO packet."""
BINARY: Final = "b"
"""The Engine.IO packet type of binary data in a POST; over a WebSocket it is a binary frame."""
_DIGITS: Final = frozenset("0123456")

Kind = Literal["connect", "disconnect", "event", "ack", "binary_event", "binary_ack"]

_KINDS: Final[dict[str, Kind]] = {
    "0": "connect",
    "1": "disconnect",
    "2": "event",
    "3": "ack",
    "5": "binary_event",
    "6": "binary_ack",
}
_PACKET: Final = re.compile(
    r"([0-9])(?:([0-9]{1,4})-)?(?:(/[^,?]{0,64})(?:\?[^,]*)?(?:,|\Z))?([0-9]{1,9}(?![0-9]))?(.*)", re.DOTALL
)
_ONE_ARGUMENT: Final = re.compile(rf'\s*\[\s*"{EVENT}"\s*,(.*)\]\s*', re.DOTALL)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Broken(ValueError):
    """A packet that no correct client sends."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a client. `number`: id of the acknowledgement it asks for, if any. `data`: JSON text, or empty.

    `attachments`: how many binary packets follow that belong to it.
    """

    kind: Kind
    namespace: str
    number: int | None
    data: str
    attachments: int = 0


def may_come(text: str) -> bool:
    """Whether an Engine.IO packet is one that a client may send at any time."""
    return text in (GOODBYE, PONG) or text[:1] == BINARY or (text[:1] == MESSAGE and text[1:2] in _DIGITS)


def read(text: str) -> Packet:
    """The packet in an Engine.IO message. Raises `Broken`."""
    match = _PACKET.fullmatch(text)
    kind = _KINDS.get(match[1]) if match is not None else None
    if match is None or kind is None or (match[2] is not None) is not kind.startswith("binary"):
        raise Broken
    if kind == "connect":
        return Packet(kind, match[3] or "/", None, (match[4] or "") + match[5])
    if match[5] and match[5][0] not in '[{"':
        raise Broken
    return Packet(kind, match[3] or "/", int(match[4]) if match[4] else None, match[5], int(match[2] or 0))


def frame_of(packet: Packet) -> str:
    """The message in an EVENT packet, as the text that a WebSocket text frame would hold. Raises `Broken`.

    It is the one argument of the event `message`; of a string, the text without its quotes. Of any other event it is
    the whole array. A string that UTF-8 cannot encode keeps its quotes. V2 and V3 each decide what to do with these.
    """
    argument = _ONE_ARGUMENT.fullmatch(packet.data)
    if argument is not None and _is_too_much(packet.data):
        _check_beginning(packet.data)
        return argument[1].strip()
    event = _array_in(packet.data)
    if len(event) != 2 or event[0] != EVENT or argument is None:
        return packet.data
    said = event[1]
    is_text = isinstance(said, str) and not _LONE_SURROGATE.search(said)
    return str(said) if is_text else argument[1].strip()


def _is_too_much(text: str) -> bool:
    """Whether the text has more structure than V2 and V3 accept. Then it is not parsed here either."""
    try:
        form_of(text, MAX_WEIGHT + _ENVELOPE_WEIGHT)
    except TooMuch:
        return True
    return False


def _check_beginning(text: str) -> None:
    """Raise `Broken` if the text, which is not parsed whole, is at its beginning nested deeper than a parser can go."""
    try:
        from_json(text[:BEGINNING_CHARACTERS], allow_partial=True)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise Broken from None


def _array_in(text: str) -> list[object]:
    """The JSON array of an event. Raises `Broken`.

    Some JSON only the slower parser of the standard library accepts: a lone surrogate, a number with thousands of
    digits, hundreds of nested brackets. Whether a message may have these is for V2 and V3 to decide.
    """
    try:
        array = from_json(text, allow_inf_nan=True)
    except ValueError:
        try:
            array = json.loads(text, parse_int=len)
        except (ValueError, RecursionError):
            raise Broken from None
    if not isinstance(array, list) or not array or not isinstance(array[0], str):
        raise Broken
    return array


def auth_of(packet: Packet) -> dict[str, str] | None:
    """The strings in a client's CONNECT packet, by name; `None` if it holds anything but one small JSON object.

    An integer, as an id may be, is converted to its digits. Anything else is left out, but for `since`: that counts
    as a position that is not known.
    """
    if not packet.data:
        return {}
    try:
        form_of(packet.data, MAX_AUTH_WEIGHT)
        auth = from_json(packet.data)
        return {} if auth is None else _texts_in(auth)
    except (ValueError, AttributeError):
        return None


def _texts_in(auth: Mapping[str, object]) -> dict[str, str]:
    texts = {name: str(value) for name, value in auth.items() if type(value) in (str, int)}
    if auth.get("since") is not None:
        texts.setdefault("since", UNKNOWN)  # who means to come back must not be taken for somebody new
    return texts


def event(namespace: str, argument: bytes) -> bytes:
    """An EVENT packet `message` to a client; `argument` is JSON in UTF-8."""
    return b'42%b,["message",%b]' % (namespace.encode(), argument)


def acknowledgement(namespace: str, number: int, argument: object) -> bytes:
    """The ACK packet for the event with this number."""
    return b"43%b,%d%b" % (namespace.encode(), number, to_json([argument]))


def connected(namespace: str, sid: str) -> bytes:
    """The CONNECT packet that confirms a client's connection to a namespace."""
    return b"40%b,%b" % (namespace.encode(), to_json({"sid": sid}))


def refused(namespace: str, message: str, data: object) -> bytes:
    """The CONNECT_ERROR packet for a client that is refused; clients report it as `connect_error`."""
    return b"44%b,%b" % (namespace.encode(), to_json({"message": message, "data": data}))


def disconnected(namespace: str) -> bytes:
    """The DISCONNECT packet that removes a client from a namespace."""
    return b"41%b," % namespace.encode()
