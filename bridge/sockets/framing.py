"""RFC 6455 frames as a server writes them, and how far a client's frame reaches. Pure: it judges nothing.

A server's text frame has no mask, so one frame serves every listener. What a client sends is only measured here;
whether it is allowed is for the `websockets` library to say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

_TEXT: Final = 0x81
_MASKED: Final = 0x80
_PING: Final = 0x9
_PONG: Final = 0xA


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame around UTF-8 bytes."""
    length = len(payload)
    if length < 126:
        return bytes((_TEXT, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


@dataclass(frozen=True, slots=True)
class Framing:
    """How a transport frames one text, and one that is known to be JSON, and what it puts between frames."""

    text: Callable[[bytes], bytes]
    json: Callable[[bytes], bytes]
    between: bytes = b""


WEBSOCKET: Final = Framing(text_frame, text_frame)


def payloads(blob: bytes) -> Iterable[bytes]:
    """The payloads of frames that `text_frame` made, for a server that frames by itself."""
    position = 0
    while position < len(blob):
        length, start = blob[position + 1], position + 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            length, start = int.from_bytes(blob[start : start + wide], "big"), start + wide
        yield blob[start : start + length]
        position = start + length


class Extent(NamedTuple):
    """Where a client's frame lies in a buffer: from `head` to `end`, its mask at `mask`, its payload from `start`."""

    head: int
    mask: int
    start: int
    end: int


def extent(buffer: bytes | bytearray, position: int) -> Extent | None:
    """The extent of the frame that begins at `position`, or `None` while its head is incomplete.

    A frame without a mask is measured as if it had none to strip: its payload begins where the mask would.
    """
    have = len(buffer) - position
    if have < 2:
        return None
    length = buffer[position + 1] & 0x7F
    mask = position + 2
    if length >= 126:
        mask += 2 if length == 126 else 8
        if len(buffer) < mask:
            return None
        length = int.from_bytes(buffer[position + 2 : mask], "big")
    start = mask + 4 if buffer[position + 1] & _MASKED else mask
    return Extent(position, mask, start, start + length)


def is_plain_text(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the frame is a whole, masked text message: the case that needs no judgement."""
    return buffer[position] == _TEXT and bool(buffer[position + 1] & _MASKED)


def is_ping_or_pong(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the frame is a ping or a pong."""
    return buffer[position] & 0x0F in (_PING, _PONG)
