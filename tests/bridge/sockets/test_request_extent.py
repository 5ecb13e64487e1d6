from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sockets.request_extent import (
    MOST_LINE_BYTES,
    MOST_SMALL_CHUNKS,
    MOST_TRAILER_BYTES,
    RequestExtent,
    Unreadable,
)

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Parser:
    """The parser, fed as far as requests go, one by one."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.bodies: list[bytes] = []
        self.is_whole = False
        self.feeds = 0
        self.extent = RequestExtent()
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        assert not self.is_whole, "the next request was begun"
        self.headers = []
        self.bodies.append(b"")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.extent.head_ended(self.headers)

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.is_whole = True

    def read(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            end = self.extent.end(data, position)
            assert end > position
            self.parser.feed_data(data[position:end])
            self.feeds += 1
            position = end
            if self.is_whole:
                self.is_whole, self.extent = False, RequestExtent()


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def chunked(chunks: list[bytes], last: bytes = b"0\r\n\r\n") -> bytes:
    parts = [b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk]
    return b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + last


BODIES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n\r\n", b"0\r\n\r\n", b"x", GET])).map(b"".join)
REQUESTS = st.one_of(
    st.just((GET, b"")),
    st.just((b"\r\n\r\n\r" + b"\n" + GET, b"")),
    BODIES.map(lambda body: (post(body), body)),
    st.lists(BODIES).map(lambda chunks: (chunked(chunks), b"".join(chunks))),
    st.lists(BODIES).map(lambda chunks: (chunked(chunks, b"00\r\nA: b\r\nC: d\r\n\r\n"), b"".join(chunks))),
)


@given(st.lists(REQUESTS, max_size=6), st.integers(1, 40))
def test_requests_end_where_they_end_however_they_are_cut(requests: list[tuple[bytes, bytes]], piece: int) -> None:
    stream = b"".join(request for request, _ in requests)
    for size in (piece, len(stream) or 1):
        parser = Parser()
        for position in range(0, len(stream), size):
            parser.read(stream[position : position + size])
        assert parser.bodies == [body for _, body in requests]


def test_ten_thousand_requests_in_one_read_are_told_apart() -> None:
    parser = Parser()
    parser.read(GET * 10_000)
    assert len(parser.bodies) == parser.feeds == 10_000


@pytest.mark.parametrize("noise", [b"\r\n" * 50_000, b"\n" * 100_000, GET[:-2] + b"A" * 100_000])
def test_what_is_no_end_is_passed_over_at_once(noise: bytes) -> None:
    assert RequestExtent().end(noise, 0) == len(noise)


def test_what_was_not_said_to_have_a_length_has_none() -> None:
    extent = RequestExtent()
    assert not extent.has_body
    extent.head_ended([(b"content-length", b"7")])
    assert (extent.has_body, extent.length, extent.left) == (True, 7, 7)
    extent.end(b"abc", 0)
    assert extent.left == 4


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"\r\n",
        b"1" * (MOST_LINE_BYTES + 1),
        b"1;" + b"a" * MOST_LINE_BYTES + b"\r\n",
        b"1\r\nx\r\n" * (MOST_SMALL_CHUNKS + 20),
        b"0\r\n" + b"A: b\r\n" * MOST_TRAILER_BYTES,
    ],
    ids=["no number", "empty", "long size", "long extension", "small chunks", "trailer"],
)
def test_a_body_that_costs_more_than_its_bytes_is_no_body(body: bytes) -> None:
    extent = RequestExtent()
    extent.head_ended([(b"transfer-encoding", b"chunked")])
    with pytest.raises(Unreadable):
        read_in_pieces(extent, body)


def read_in_pieces(extent: RequestExtent, body: bytes) -> None:
    for piece in range(0, len(body), 700):
        data, position = body[piece : piece + 700], 0
        while position < len(data):
            position = extent.end(data, position)


def test_large_chunks_may_be_as_many_as_there_are() -> None:
    parser = Parser()
    parser.read(chunked([b"x" * 300] * (MOST_SMALL_CHUNKS * 2)))
    assert len(parser.bodies[0]) == 300 * MOST_SMALL_CHUNKS * 2
