"""The answers to a WebSocket handshake, as bytes: 101 where it is valid, else what an HTTP client understands. Pure.

A handshake as clients send it is judged here at one look. Any other is judged by the `websockets` library, which also
says what is wrong with it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

Header = tuple[bytes, bytes]

_UNIQUE: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
_UPGRADE: Final = b"upgrade"
_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def accepting(key: bytes, headers: Iterable[Header], subprotocol: str | None) -> bytes:
    """The 101 response to a handshake with this key, with further headers and the subprotocol that is taken up."""
    lines = [_SWITCHING, b"Sec-WebSocket-Accept: ", accept_key(key), b"\r\n"]
    for name, value in headers:
        lines += (name.lower(), b": ", value, b"\r\n")
    if subprotocol:
        lines += (b"Sec-WebSocket-Protocol: ", subprotocol.encode("latin-1"), b"\r\n")
    return b"".join((*lines, b"\r\n"))


def accept_key(key: bytes) -> bytes:
    """What proves to the client that its handshake with this key was understood."""
    return base64.b64encode(hashlib.sha1(key + _UNIQUE, usedforsecurity=False).digest())


def key_in(headers: Sequence[Header]) -> bytes | None:
    """The key of a handshake as clients send it; `None` if it has to be looked at more closely."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _LOOKED_AT:
            if name in found:
                return None
            found[name] = value
    key = found.get(b"sec-websocket-key", b"")
    is_usual = (
        _UPGRADE in map(bytes.strip, found.get(b"connection", b"").lower().split(b","))
        and found.get(b"upgrade", b"").lower() == b"websocket"
        and found.get(b"sec-websocket-version") == b"13"
        and _KEY.fullmatch(key) is not None
    )
    return key if is_usual else None


_LOOKED_AT: Final = frozenset(
    (b"connection", b"upgrade", b"sec-websocket-version", b"sec-websocket-key", b"sec-websocket-protocol", b"origin")
)


def has_body(headers: Iterable[Header]) -> bool:
    """Whether the request has a body, which no handshake has."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def key_or_refusal(method: str, headers: Sequence[Header]) -> tuple[bytes, bytes]:
    """The key of a handshake, or the response that refuses it; the other is empty."""
    if method == "GET" and (key := key_in(headers)) is not None:
        return key, b""
    known = Headers([(name.decode("ascii"), value.decode("latin-1")) for name, value in headers])
    response = ServerProtocol().accept(Request("/", known, method))
    if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
        return known["Sec-WebSocket-Key"].encode("latin-1"), b""
    return b"", response.serialize()


def refusing(status: int, headers: Iterable[Header], body: bytes) -> bytes:
    """An HTTP response in the place of the 101."""
    told = [(name, value) for name, value in headers]
    names = {name.lower() for name, _ in told}
    usual = (
        (b"Date", formatdate(usegmt=True).encode()),
        (b"Connection", b"close"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Content-Type", b"text/plain; charset=utf-8"),
    )
    told += [(name, value) for name, value in usual if name.lower() not in names]
    lines = [b"%s: %s\r\n" % header for header in told]
    return b"".join((f"HTTP/1.1 {status} {_phrase(status)}\r\n".encode(), *lines, b"\r\n", body))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
