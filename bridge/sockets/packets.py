"""Socket.IO packets (protocol 5, inside Engine.IO 4 messages) as this server reads and writes them. Pure.

Text alone: both languages are JSON, so a packet with binary attachments is broken from its first byte. What a client
says in an event is handed on as the very text that it sent; what it means is not judged here.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import from_json, to_json

EVENT: Final = "message"
MOST_PACKETS: Final = 16
"""Of one POST."""
SEPARATOR: Final = b"\x1e"
"""Between packets; it stands in no JSON text."""

Kind = Literal["connect", "disconnect", "event", "ack"]

_KINDS: Final[dict[str, Kind]] = {"0": "connect", "1": "disconnect", "2": "event", "3": "ack"}
_PACKET: Final = re.compile(r"([0-9])(?:(/[^,?]{0,64})(?:\?[^,]*)?(?:,|\Z))?([0-9]{1,9}(?![0-9]))?(.*)", re.DOTALL)
_ONE_ARGUMENT: Final = re.compile(rf'\s*\[\s*"{EVENT}"\s*,(.*)\]\s*', re.DOTALL)


class Broken(ValueError):
    """This is no packet that a client of ours could send."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a client. `number` asks for an acknowledgement; `data` is JSON text, or empty."""

    kind: Kind
    namespace: str
    number: int | None
    data: str


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

    An event that is not `message` with one argument is the whole array: each language judges it in its own way.
    """
    try:
        event = from_json(packet.data, allow_inf_nan=True)
    except ValueError:
        raise Broken from None
    if not isinstance(event, list) or not event or not isinstance(event[0], str):
        raise Broken
    argument = _ONE_ARGUMENT.fullmatch(packet.data)
    if len(event) != 2 or event[0] != EVENT or argument is None:
        return packet.data
    return event[1] if isinstance(event[1], str) else argument[1].strip()


def auth_of(packet: Packet) -> dict[str, str]:
    """The strings that a client sent with its CONNECT; a number, as an id may be, is its digits. Raises `Broken`."""
    if not packet.data:
        return {}
    try:
        auth = from_json(packet.data)
    except ValueError:
        raise Broken from None
    if not isinstance(auth, dict):
        raise Broken
    return {name: str(value) for name, value in auth.items() if isinstance(value, str | int) and value is not True}


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
