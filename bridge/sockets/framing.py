"""RFC 6455 framing: builds a server's text frames, and finds the bounds of a client's frame. Pure.

A server's frame has no mask, so one bytes object serves every listener. A client's frame is only measured here; the
`websockets` library decides whether it is valid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

_TEXT: Final = 0x81
_MASKED: Final = 0x80
_PING: Final = 0x9
_PONG: Final = 0xA


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame around UTF-8 bytes."""
    length = len(payload)
    return (_HEADS[length] if length < len(_HEADS) else _head(length)) + payload


def _head(length: int) -> bytes:
    """The head of a text frame with a payload of so many bytes."""
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


_HEADS: Final = tuple(map(_head, range(1_024)))
"""Of the commonest lengths."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How a transport frames messages. `text` frames any UTF-8 text, `json` text that is known to be JSON.

    `between` is put between two framed messages.
    """

    text: Callable[[bytes], bytes]
    json: Callable[[bytes], bytes]
    between: bytes = b""


WEBSOCKET: Final = Framing(text_frame, text_frame)


class Extent(NamedTuple):
    """Positions of a client's frame in a buffer: it begins at `head` and ends before `end`.

    Its masking key begins at `mask`, its payload at `start`.
    """

    head: int
    mask: int
    start: int
    end: int


def extent(buffer: bytes | bytearray, position: int) -> Extent | None:
    """The extent of the frame that begins at `position`, or `None` while its header is incomplete.

    In a frame without a mask, which is not allowed, the payload begins where the masking key would begin.
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
    """Whether the frame is a final, masked text frame: the common case, which needs no check by the library."""
    return buffer[position] == _TEXT and bool(buffer[position + 1] & _MASKED)


def is_ping_or_pong(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the frame is a ping or a pong."""
    return buffer[position] & 0x0F in (_PING, _PONG)
