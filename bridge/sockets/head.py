"""Bounds on the head of an HTTP request, and the responses to a head that exceeds them or is no HTTP. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

import httptools

MAX_LINE_BYTES: Final = 8_192  # the line end included, as `websockets` counts
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 65_536
MAX_FIELDS: Final = 128  # in the query
MAX_LISTED_BYTES: Final = 512
LIST_HEADERS: Final = frozenset((b"connection", b"upgrade"))
"""Headers whose list items are parsed one by one, which costs about 100 times as much as other bytes.

Together they may have `MAX_LISTED_BYTES` in one head.
"""
DROPPED_HEADERS: Final = frozenset((b"cookie", b"sec-websocket-extensions"))
"""Headers that are dropped. The bridge uses no cookies and no extensions; libraries would parse each item."""
SUBPROTOCOLS: Final = b"sec-websocket-protocol"
_FIRST_TOKEN: Final = re.compile(rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})[ \t]*(?:,|\Z)")
_REST_OF_REQUEST_LINE: Final = len("  HTTP/1.1\r\n")
_REST_OF_HEADER_LINE: Final = len(": \r\n")
_REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "This is no HTTP request."),
    414: ("line_too_long", f"The request line is longer than 8 KiB, or its query of more than {MAX_FIELDS} fields."),
    426: ("upgrade_required", "This server speaks version 13 of the WebSocket protocol."),
    431: (
        "header_too_large",
        "The request's header is too large: at most 100 lines of 8 KiB, and of Connection and Upgrade 512 bytes.",
    ),
    503: ("overloaded", "This process has more to do than it can: come back in a moment."),
}
"""By status: a code for programs and a sentence, as every refusal of the HTTP API has them."""


class HeadSize:
    """Measures one head, and its current line while that is incomplete: the parser reports only complete lines."""

    def __init__(self) -> None:
        self._bytes = self._line_bytes = self._listed_bytes = 0

    def is_too_large(self, part: bytes) -> bool:
        """Add this part of the head; returns whether the head or one of its lines is now too large."""
        line = part[part.rfind(b"\n") + 1 :]
        self._bytes += len(part)
        self._line_bytes = len(line) + (self._line_bytes if len(line) == len(part) else 0)
        return self._bytes > MAX_HEAD_BYTES or self._line_bytes > MAX_LINE_BYTES

    def is_header_too_large(self, name: bytes, value: bytes) -> bool:
        """Add one header; returns whether it is too large, or all `LIST_HEADERS` headers together are."""
        if name.lower() in LIST_HEADERS:
            self._listed_bytes += len(value) + 1
        length = len(name) + len(value) + _REST_OF_HEADER_LINE
        return length > MAX_LINE_BYTES or self._listed_bytes > MAX_LISTED_BYTES


def is_request_line_too_long(method: bytes, url: bytes) -> bool:
    """Whether the request line is longer than `MAX_LINE_BYTES`."""
    return len(method) + len(url) + _REST_OF_REQUEST_LINE > MAX_LINE_BYTES


def has_too_many_fields(url: bytes) -> bool:
    """Whether the query has more than `MAX_FIELDS` fields. Their bytes cost about 100 times as much as others."""
    return url.count(b"&") >= MAX_FIELDS


def origin_form(url: bytes) -> bytes:
    """The request target in origin form (RFC 9112 3.2.1): path and query, `/` for an absolute URL without a path.

    A target in another form (`*`, for example) is returned unchanged. Raises `httptools.HttpParserError`.
    """
    if url.startswith(b"/"):
        return url
    parts = httptools.parse_url(url)
    if not parts.host:
        return url
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")


def names_two_hosts(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether more than one line says which host is meant, on which a tenant may depend. Names are in lower case."""
    return sum(name == b"host" for name, _ in headers) > 1


def is_used(name: bytes) -> bool:
    """Whether the bridge uses this header. Others are not passed on."""
    return name.lower() not in DROPPED_HEADERS


def first_subprotocol(value: bytes) -> bytes | None:
    """The first subprotocol that is offered, the only one that is ever used; `None` if it is no token (RFC 9110)."""
    first = _FIRST_TOKEN.match(value)
    return None if first is None else first[1]


def refusal(status: int, headers: bytes = b"") -> bytes:
    """The complete HTTP response with this status for a request that cannot be served; `headers` are added to it."""
    code, sentence = _REFUSALS[status]
    body = json.dumps({"code": code, "msg": sentence}).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\nconnection: close\r\n%s\r\n%s" % (len(body), headers, body)
