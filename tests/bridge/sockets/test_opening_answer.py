"""The answers to handshakes: those of the `websockets` library, but at one look."""

from __future__ import annotations

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from bridge.sockets.opening_answer import accept_key, accepting, has_body, key_in, key_or_refusal, refusing

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
USUAL = {
    b"host": b"127.0.0.1",
    b"connection": b"Upgrade",
    b"upgrade": b"websocket",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}


def handshake(**changes: bytes | None) -> list[tuple[bytes, bytes]]:
    changed = USUAL | {name.replace("_", "-").encode(): value for name, value in changes.items()}
    return [(name, value) for name, value in changed.items() if value is not None]


def by_the_library(headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    known = Headers([(name.decode(), value.decode("latin-1")) for name, value in headers])
    response = ServerProtocol().accept(Request("/", known))
    return response.status_code, bytes(response.body or b"")


def test_a_key_is_answered_as_the_standard_says() -> None:
    """RFC 6455, 1.3."""
    assert accept_key(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_handshake_is_accepted_with_further_headers_and_a_subprotocol() -> None:
    assert accepting(KEY, [(b"Date", b"now")], "chat") == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\ndate: now\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )


@pytest.mark.parametrize("connection", [b"Upgrade", b"keep-alive, Upgrade", b"upgrade", b"UPGRADE ,x"])
def test_what_clients_send_is_known_at_one_look(connection: bytes) -> None:
    headers = handshake(connection=connection, upgrade=b"WebSocket")
    assert key_in(headers) == KEY
    assert by_the_library(headers)[0] == 101


@pytest.mark.parametrize(
    "headers",
    [
        handshake(connection=None),
        handshake(connection=b"close"),
        handshake(connection=b"upgraded"),
        handshake(upgrade=b"h2c"),
        handshake(upgrade=b"websocket, h2c"),
        handshake(sec_websocket_key=None),
        handshake(sec_websocket_key=b"short=="),
        handshake(sec_websocket_key=b"?" * 22 + b"=="),
        handshake(sec_websocket_version=None),
        handshake(sec_websocket_version=b"12"),
        [*handshake(), (b"sec-websocket-key", KEY)],
        [*handshake(), (b"sec-websocket-version", b"13")],
    ],
)
def test_what_is_wrong_is_refused_as_the_library_does(headers: list[tuple[bytes, bytes]]) -> None:
    key, refusal = key_or_refusal("GET", headers)
    status, body = by_the_library(headers)
    assert (key, status >= 400) == (b"", True)
    assert refusal.startswith(b"HTTP/1.1 %d " % status)
    assert refusal.endswith(b"\r\n\r\n" + body)


def test_what_is_unusual_and_right_is_accepted() -> None:
    headers = [*handshake(), (b"connection", b"x")]
    assert key_in(headers) is None
    assert key_or_refusal("GET", headers) == (KEY, b"")


def test_another_method_is_not_allowed() -> None:
    assert key_or_refusal("POST", handshake())[1].startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"1")], True),
        ([(b"transfer-encoding", b"chunked")], True),
    ],
)
def test_a_handshake_has_no_body(headers: list[tuple[bytes, bytes]], expected: bool) -> None:  # noqa: FBT001
    assert has_body(headers) == expected


def test_a_refusal_in_http_says_what_is_usual_unless_it_is_told() -> None:
    head, _, body = refusing(403, [(b"content-type", b"application/json")], b"{}").partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0], body) == (b"HTTP/1.1 403 Forbidden", b"{}")
    assert lines[1] == b"content-type: application/json"
    assert lines[2].startswith(b"Date: ")
    assert lines[3:] == [b"Connection: close", b"Content-Length: 2"]


def test_a_status_without_a_name_is_answered_too() -> None:
    assert refusing(599, [], b"").startswith(b"HTTP/1.1 599 \r\n")
