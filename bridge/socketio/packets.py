"""Engine.IO 4 packets, and the Socket.IO 5 packets inside them, as this server reads and writes them. Pure.

Text alone: both languages are JSON, so a packet with binary attachments is broken from its first byte. What a client
says in an event is handed on as the very text that it sent. Must never judge what a message means.
"""

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from v3.form import MAX_WEIGHT, TooMuch, form_of, from_json

EVENT: Final = "message"
MAX_AUTH_WEIGHT: Final = 1_000
"""Of what comes with a CONNECT (see `v3/form.py`): a few names and their strings."""
_ENVELOPE_WEIGHT: Final = 16
"""Of `["message",…]` around what is said."""
BEGINNING_CHARACTERS: Final = 2_048
SEPARATOR: Final = b"\x1e"
"""Between packets; it stands in no JSON text."""

GOODBYE, PONG, PROBE, UPGRADE = "1", "3", "2probe", "5"
"""All that a client says in Engine.IO beside its messages; the last two over a websocket that is not used yet."""
CLOSE, PING, PROBED, NOOP = b"1", b"2", b"3probe", b"6"
"""All that the server says in Engine.IO beside its opening and its messages."""
MESSAGE: Final = "4"
"""Before each Socket.IO packet."""
_DIGITS: Final = frozenset("0123456")

Kind = Literal["connect", "disconnect", "event", "ack"]

_KINDS: Final[dict[str, Kind]] = {"0": "connect", "1": "disconnect", "2": "event", "3": "ack"}
_PACKET: Final = re.compile(r"([0-9])(?:(/[^,?]{0,64})(?:\?[^,]*)?(?:,|\Z))?([0-9]{1,9}(?![0-9]))?(.*)", re.DOTALL)
_ONE_ARGUMENT: Final = re.compile(rf'\s*\[\s*"{EVENT}"\s*,(.*)\]\s*', re.DOTALL)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Broken(ValueError):
    """This is no packet that a client of ours could send."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a client. `number` asks for an acknowledgement; `data` is JSON text, or empty."""

    kind: Kind
    namespace: str
    number: int | None
    data: str


def may_come(text: str) -> bool:
    """Whether an Engine.IO packet is one that a client may send at any time."""
    return text in (GOODBYE, PONG) or (text[:1] == MESSAGE and text[1:2] in _DIGITS)


def read(text: str) -> Packet:
    """The packet in an Engine.IO message. Raises `Broken`."""
    match = _PACKET.fullmatch(text)
    kind = _KINDS.get(match[1]) if match is not None else None
    if match is None or kind is None:
        raise Broken
    if match[4] and match[4][0] not in '[{"':
        raise Broken
    return Packet(kind, match[2] or "/", int(match[3]) if match[3] else None, match[4])


def frame_of(packet: Packet) -> str:
    """What an event says, as a text frame would: its one argument, a string without its quotes. Raises `Broken`.

    An event that is not `message` with one argument is the whole array, and a string that no frame can hold keeps its
    quotes: each language judges them in its own way.
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
    """Whether it is more than either language reads: then it is not read here either."""
    try:
        form_of(text, MAX_WEIGHT + _ENVELOPE_WEIGHT)
    except TooMuch:
        return True
    return False


def _check_beginning(text: str) -> None:
    """Raises `Broken` where a text that is not read begins deeper than any reader goes."""
    try:
        from_json(text[:BEGINNING_CHARACTERS], allow_partial=True)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise Broken from None


def _array_in(text: str) -> list[object]:
    """An event's array. What only the slower reader takes is for the languages to judge.

    That is a lone surrogate, a number of thousands of digits, hundreds of brackets in each other.
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


def auth_of(packet: Packet) -> dict[str, str]:
    """The strings that a client sent with its CONNECT; a number, as an id may be, is its digits. Raises `Broken`."""
    if not packet.data:
        return {}
    try:
        form_of(packet.data, MAX_AUTH_WEIGHT)
        auth = from_json(packet.data)
    except ValueError:
        raise Broken from None
    if not isinstance(auth, dict):
        raise Broken
    return {name: str(value) for name, value in auth.items() if type(value) in (str, int)}


def event(namespace: str, argument: bytes) -> bytes:
    """A `message` event to a client; `argument` is JSON in UTF-8."""
    return b'42%b,["message",%b]' % (namespace.encode(), argument)


def acknowledgement(namespace: str, number: int, argument: object) -> bytes:
    """The answer to an event that asked for one."""
    return b"43%b,%d%b" % (namespace.encode(), number, to_json([argument]))


def connected(namespace: str, sid: str) -> bytes:
    """A client is let in."""
    return b"40%b,%b" % (namespace.encode(), to_json({"sid": sid}))


def refused(namespace: str, message: str, data: object) -> bytes:
    """A client is not let in: what it hears as `connect_error`."""
    return b"44%b,%b" % (namespace.encode(), to_json({"message": message, "data": data}))


def disconnected(namespace: str) -> bytes:
    """A client has to leave."""
    return b"41%b," % namespace.encode()
