import pytest

from bridge.sockets.head import (
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    HeadSize,
    is_header_line_too_long,
    is_request_line_too_long,
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
    assert not is_header_line_too_long(b"x", b"y" * (MAX_LINE_BYTES - 5))
    assert is_header_line_too_long(b"x", b"y" * (MAX_LINE_BYTES - 4))


def test_a_refusal_is_a_whole_answer() -> None:
    head, _, text = refusal(426, b"upgrade: websocket\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"content-length: %d\r\n" % len(text) in head
    assert head.endswith(b"\r\nconnection: close\r\nupgrade: websocket")
