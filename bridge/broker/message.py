"""The message format on the bus: one line of V3 JSON and, if the sender spoke V2, a newline and its V2 text. Pure.

What arrives is validated once, here, and not again for each listener. It is not changed on the way: V3 listeners get
the bytes of the line, except when another service published it without the fields that the server sets.

Decided here: a newline with nothing after it means an empty V2 frame only when the message says so (`msg` is empty). So
a service that ends its JSON with a newline is understood.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from v3.heard import content_in, read_heard
from v3.messages import SERVER_ID, Content, Line, Unreadable, line_of, write, written

FACTOR_OF_MAX_MESSAGE_BYTES: Final = 8
"""A message from V2 is on the bus twice, once perhaps escaped: so its bound is this many times a frame's."""

MOST_DIGITS: Final = 20


class BusMessage(msgspec.Struct, eq=False, gc=False):
    """One validated message. `line`: what V3 listeners get; `v2_text`: what V2 listeners get unchanged, if not `None`.

    `heard`: its fields. `said`: the sender's part of them, if this process said it. `number`: the one that it has in
    the history of its channel; 0 if it is in none. `said_to_v2` caches a conversion to V2: the tenant for which it was
    done last, and the result.
    """

    line: bytes
    v2_text: bytes | None
    heard: Line
    said: Content | None = None
    number: int = 0
    said_to_v2: tuple[object, bytes | None] | None = None

    @property
    def target(self) -> str:
        return self.heard.target

    @property
    def group_id(self) -> str:
        return self.heard.group_id or ""

    @property
    def to_id(self) -> str | None:
        return self.heard.to_id

    @property
    def data(self) -> bytes:
        """The bytes to publish: the V3 line, and the original V2 text if the sender spoke V2."""
        return self.line if self.v2_text is None else b"%b\n%b" % (self.line, self.v2_text)

    @property
    def size_bytes(self) -> int:
        """What it takes on the bus, without its number."""
        return len(self.line) + len(self.v2_text or b"")

    @property
    def content(self) -> Content:
        """The sender's part. For a message of another process it is parsed each time: few callers need it."""
        return content_in(self.line) if self.said is None else self.said


def said(content: Content, from_id: str, group_id: str, sent_at: str, v2_text: str | None = None) -> BusMessage:
    """A message that this process sends: equal to what `read` would return, without parsing."""
    heard = line_of(content, from_id, group_id, sent_at)
    return BusMessage(written(heard), None if v2_text is None else v2_text.encode(), heard, content)


def last_number(batch: Sequence[BusMessage]) -> int:
    """The number of the last message that has one; 0 if none has."""
    for message in reversed(batch):
        if message.number:
            return message.number
    return 0


def numbered(data: bytes) -> tuple[int, bytes]:
    """The number with which a message begins on the bus, and the message; 0 where another service said it plainly.

    Raises `Unreadable`.
    """
    if data.startswith(b"{") or not data[:1].isdigit():
        return 0, data
    number, _, message = data.partition(b"\n")
    if not number.isdigit() or len(number) > MOST_DIGITS:
        raise Unreadable("invalid_message")
    return int(number), message


def read(data: bytes, arrived_at: Callable[[], str]) -> BusMessage:
    """Validate what arrived; `arrived_at` returns the `sent_at` for a message without one. Raises `Unreadable`."""
    line, separator, rest = data.partition(b"\n")
    try:
        heard = read_heard(line)
    except Unreadable:
        if not separator:
            raise
        return _complete(data, None, read_heard(data), arrived_at)
    born_on_v2 = bool(rest) or (bool(separator) and heard.msg == "")
    return _complete(line, _utf8(rest) if born_on_v2 else None, heard, arrived_at)


def _utf8(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise Unreadable("invalid_message") from None
    return text


def _complete(line: bytes, v2_text: bytes | None, heard: Line, arrived_at: Callable[[], str]) -> BusMessage:
    """The message unchanged if it is one line and has the server's fields; else written again with the missing ones."""
    if heard.from_id and heard.group_id is not None and heard.sent_at and b"\n" not in line:
        return BusMessage(line, v2_text, heard)
    heard.from_id, heard.group_id = heard.from_id or SERVER_ID, heard.group_id or ""
    heard.sent_at = heard.sent_at or arrived_at()
    return BusMessage(write(content_in(line), heard.from_id, heard.group_id, heard.sent_at), v2_text, heard)
