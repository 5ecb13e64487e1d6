"""How large a request's head may be, and what is answered where it is more, or no head at all. Pure."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import httptools

MAX_LINE_BYTES: Final = 8_192  # its end included, as `websockets` counts
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 65_536
MAX_FIELDS: Final = 128  # of a query
MAX_LISTED_BYTES: Final = 512
LISTS: Final = frozenset((b"connection", b"upgrade"))
"""Whose items are read one by one, at some hundred times what other bytes cost: in one head there are at most 512."""
UNREAD: Final = frozenset((b"cookie", b"sec-websocket-protocol", b"sec-websocket-extensions"))
"""There is no cookie of ours, no subprotocol and no extension; the libraries would read each item all the same."""
_REST_OF_REQUEST_LINE: Final = len("  HTTP/1.1\r\n")
_REST_OF_HEADER_LINE: Final = len(": \r\n")
_SENTENCES: Final[Mapping[int, str]] = {
    400: "This is no HTTP request.",
    414: f"The request line is longer than 8 KiB, or its query of more than {MAX_FIELDS} fields.",
    426: "This server speaks version 13 of the WebSocket protocol.",
    431: "The request's header is too large: at most 100 lines of 8 KiB, and of Connection and Upgrade 512 bytes.",
}


class HeadSize:
    """The size of one head, and of its line that has not ended: the parser says nothing of either before it does."""

    def __init__(self) -> None:
        self._bytes = self._line_bytes = self._listed_bytes = 0

    def is_too_large(self, part: bytes) -> bool:
        """With this part of it."""
        line = part[part.rfind(b"\n") + 1 :]
        self._bytes += len(part)
        self._line_bytes = len(line) + (self._line_bytes if len(line) == len(part) else 0)
        return self._bytes > MAX_HEAD_BYTES or self._line_bytes > MAX_LINE_BYTES

    def is_header_too_large(self, name: bytes, value: bytes) -> bool:
        """Whether one header is, or with it all those of which each item is read."""
        if name.lower() in LISTS:
            self._listed_bytes += len(value) + 1
        length = len(name) + len(value) + _REST_OF_HEADER_LINE
        return length > MAX_LINE_BYTES or self._listed_bytes > MAX_LISTED_BYTES


def is_request_line_too_long(method: bytes, url: bytes) -> bool:
    """Whether a request's first line is."""
    return len(method) + len(url) + _REST_OF_REQUEST_LINE > MAX_LINE_BYTES


def has_too_many_fields(url: bytes) -> bool:
    """Whether a request's query has: each is read, at some hundred times what other bytes cost."""
    return url.count(b"&") >= MAX_FIELDS


def origin_form(url: bytes) -> bytes:
    """A target by its path, which is `/` where an absolute one names none. Raises `httptools.HttpParserError`."""
    if url.startswith(b"/"):
        return url
    parts = httptools.parse_url(url)
    if not parts.host:
        return url
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")


def is_read(name: bytes) -> bool:
    """Whether anybody here asks what this header says: what nobody does is not even passed on."""
    return name.lower() not in UNREAD


def refusal(status: int, headers: bytes = b"") -> bytes:
    """The whole answer to what cannot be served."""
    text = _SENTENCES[status].encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
    return head.encode() + b"content-length: %d\r\nconnection: close\r\n%s\r\n%s" % (len(text), headers, text)
