import httptools
import pytest

from bridge.sockets.head import (
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    MAX_LISTED_BYTES,
    HeadSize,
    first_subprotocol,
    is_request_line_too_long,
    is_used,
    origin_form,
    refusal,
)

LINE = b"X: " + b"x" * 1_000 + b"\r\n"


@pytest.mark.parametrize("piece", [1, 1_000, 100_000])
def test_a_line_is_too_large_before_it_ends_however_it_is_cut(piece: int) -> None:
    size, head = HeadSize(), LINE + b"x" * MAX_LINE_BYTES
    parts = [head[position : position + piece] for position in range(0, len(head), piece)]
    assert not any(size.is_too_large(part) for part in parts)
    assert size.is_too_large(b"x")


def test_a_head_of_many_lines_is_too_large_in_all() -> None:
    size = HeadSize()
    assert [size.is_too_large(LINE) for _ in range(MAX_HEAD_BYTES // len(LINE))].count(True) == 0
    assert size.is_too_large(LINE)


def test_a_line_counts_with_its_end() -> None:
    assert not is_request_line_too_long(b"GET", b"/" * (MAX_LINE_BYTES - 15))
    assert is_request_line_too_long(b"GET", b"/" * (MAX_LINE_BYTES - 14))
    assert not HeadSize().is_header_too_large(b"x", b"y" * (MAX_LINE_BYTES - 5))
    assert HeadSize().is_header_too_large(b"x", b"y" * (MAX_LINE_BYTES - 4))


@pytest.mark.parametrize("name", [b"Connection", b"upgrade"])
def test_what_is_read_item_by_item_is_short_on_however_many_lines_it_stands(name: bytes) -> None:
    size, line = HeadSize(), b"a," * 40
    lines = [size.is_header_too_large(name, line) for _ in range(10)]
    assert lines == [(number + 1) * (len(line) + 1) > MAX_LISTED_BYTES for number in range(10)]
    assert True in lines
    assert not HeadSize().is_header_too_large(b"x", line * 100)


def test_what_nobody_asks_for_is_not_read() -> None:
    assert not any(map(is_used, (b"Cookie", b"cookie", b"Sec-WebSocket-Extensions", b"sec-websocket-extensions")))
    assert all(map(is_used, (b"Host", b"Origin", b"Connection", b"Sec-WebSocket-Key", b"X-Api-Key")))


@pytest.mark.parametrize(
    ("value", "first"),
    [
        *((b"chat", b"chat"), (b"chat, superchat", b"chat"), (b" v1.json ,b", b"v1.json"), (b"a," * 9_999, b"a")),
        *((b"", None), (b",chat", None), (b"a b", None), (b'"chat"', None), (b"\xff", None), (b"x" * 129, None)),
    ],
)
def test_of_the_subprotocols_the_first_is_read(value: bytes, first: bytes | None) -> None:
    assert first_subprotocol(value) == first


def test_a_refusal_is_a_whole_answer() -> None:
    head, _, text = refusal(426, b"upgrade: websocket\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"content-length: %d\r\n" % len(text) in head
    assert head.endswith(b"\r\nconnection: close\r\nupgrade: websocket")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://host", b"/"),
        (b"http://host:8000?a=b", b"/?a=b"),
        (b"https://[::1]/x/y?a#b", b"/x/y?a"),
        (b"ws://host/v3/ws", b"/v3/ws"),
        (b"/x?y=http://z", b"/x?y=http://z"),
        (b"//host/x", b"//host/x"),
        (b"*", b"*"),
    ],
)
def test_a_target_is_its_path_also_where_it_names_a_host(target: bytes, path: bytes) -> None:
    assert origin_form(target) == path


@pytest.mark.parametrize("target", [b"http://", b"http://:1", b"?a", b"x"])
def test_a_target_that_is_none_is_an_error(target: bytes) -> None:
    with pytest.raises(httptools.HttpParserError):
        origin_form(target)
