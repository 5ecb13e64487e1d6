"""A message as it travels on the bus: one line of V3 and, only if it was born on V2, a newline and the V2 text. Pure.

What arrives is checked once, here, and never again per listener. It is never changed on its way: V3 listeners get the
line's own bytes, unless another service wrote it without the fields that are the server's.

Decided here: a newline with nothing after it is an empty V2 frame only where the message says so (`msg` is empty), so
that a service which ends its JSON with a newline is understood.
"""

from collections.abc import Callable
from typing import Any, Final

from v3.messages import SERVER_ID, Content, Heard, Unreadable, content_in, read_heard, write

FACTOR_OF_MAX_MESSAGE_BYTES: Final = 8
"""A message born on V2 is on the bus twice, one of the two perhaps escaped: its bound is so many frames' bound."""


class BusMessage:
    """One checked message. `line` is what V3 listeners hear; `v2_text` is what V2 listeners hear verbatim, if set.

    `content` is the sender's own part, for whoever says it in other words. `said_to_v2` is for whoever puts it into V2
    words: the tenant for whom that was done last, and what it came to.
    """

    __slots__ = ("_content", "heard", "line", "said_to_v2", "v2_text")

    def __init__(self, line: bytes, v2_text: bytes | None, heard: Heard, content: Content | None = None) -> None:
        self.line: Final = line
        self.v2_text: Final = v2_text
        self.heard: Final = heard
        self._content: Final = content
        self.said_to_v2: tuple[object, bytes | None] | None = None

    @property
    def target(self) -> str:
        return self.heard["target"]

    @property
    def group_id(self) -> str:
        return self.heard.get("group_id") or ""

    @property
    def to_id(self) -> str | None:
        return self.heard.get("to_id")

    @property
    def data(self) -> bytes:
        """What is published: the V3 line, and the exact V2 text if it was born there."""
        return self.line if self.v2_text is None else b"%b\n%b" % (self.line, self.v2_text)

    @property
    def content(self) -> Content:
        """What was heard of another process is read anew each time: few want it."""
        return content_in(self.line) if self._content is None else self._content


def said(content: Content, from_id: str, group_id: str, sent_at: str, v2_text: str | None = None) -> BusMessage:
    """What this process itself says: as `read` would give it, without reading."""
    line = write(content, from_id, group_id, sent_at)
    heard: Any = {"version": "3", **content, "from_id": from_id, "group_id": group_id, "sent_at": sent_at}
    if "payload" in content:
        heard["payload"] = {}
    return BusMessage(line, None if v2_text is None else v2_text.encode(), heard, content)


def read(data: bytes, arrived_at: Callable[[], str]) -> BusMessage:
    """Check what arrived; `arrived_at` gives a `sent_at` to what has none. Raises `Unreadable`."""
    line, separator, rest = data.partition(b"\n")
    try:
        heard = read_heard(line)
    except Unreadable:
        if not separator:
            raise
        return _complete(data, None, read_heard(data), arrived_at)
    born_on_v2 = bool(rest) or (bool(separator) and heard.get("msg") == "")
    return _complete(line, _utf8(rest) if born_on_v2 else None, heard, arrived_at)


def _utf8(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise Unreadable("invalid_message") from None
    return text


def _complete(line: bytes, v2_text: bytes | None, heard: Heard, arrived_at: Callable[[], str]) -> BusMessage:
    """As it is where the server's fields are set and it is one line; else written anew with what is missing."""
    if heard.get("from_id") and heard.get("group_id") is not None and heard.get("sent_at") and b"\n" not in line:
        return BusMessage(line, v2_text, heard)
    from_id, group_id = heard.get("from_id") or SERVER_ID, heard.get("group_id") or ""
    sent_at = heard.get("sent_at") or arrived_at()
    heard |= {"from_id": from_id, "group_id": group_id, "sent_at": sent_at}
    return BusMessage(write(content_in(line), from_id, group_id, sent_at), v2_text, heard)
