"""RFC 6455 framing: builds a server's text frames, and finds the bounds of a client's frame. Pure.

A server's frame has no mask, so one bytes object serves every listener. A client's frame is only measured here; the
`websockets` library decides whether it is valid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_PING: Final = 0x89
_PONG: Final = 0x8A
_SHORT_HEAD: Final = 6
_LONGER_HEAD: Final = 8
_CLOSE: Final = 0x88
MAX_CONTROL_LENGTH: Final = 125
PING_FRAME: Final = bytes((_PING, 0))
"""A server's ping. It carries nothing, for any frame that follows answers it."""


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


def pong_frame(payload: bytes) -> bytes:
    """A server's answer to a ping, whose payload is at most 125 bytes."""
    return bytes((_PONG, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A server's close frame. The reason is short: 123 bytes at most."""
    payload = code.to_bytes(2, "big") + reason.encode()
    return bytes((_CLOSE, len(payload))) + payload


def start_of_only_text(data: bytes, most_bytes: int) -> int:
    """Where the payload begins, if the data are exactly one final, masked text frame of at most so many bytes; else 0.

    Nearly all that clients send is of this kind.
    """
    size = len(data)
    if size < _SHORT_HEAD or data[0] != _TEXT:
        return 0
    length, start = data[1] - _MASKED, _SHORT_HEAD
    if length == 126 and size >= _LONGER_HEAD:
        length, start = data[2] << 8 | data[3], _LONGER_HEAD
    return start if size - start == length <= most_bytes else 0


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


def is_plain(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the frame is a whole masked message: the common case, which needs no check by the library."""
    return buffer[position] in (_TEXT, _BINARY) and bool(buffer[position + 1] & _MASKED)


def is_text(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the plain frame is text."""
    return buffer[position] == _TEXT


def is_ping_or_pong(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the frame is a ping or a pong."""
    return buffer[position] & 0x0F in (_PING & 0x0F, _PONG & 0x0F)


def is_plain_pong(buffer: bytes | bytearray, position: int) -> bool:
    """Whether the frame is a pong as it should be, which needs no check by the library."""
    return buffer[position] == _PONG and _MASKED <= buffer[position + 1] <= _MASKED | MAX_CONTROL_LENGTH
