"""Finds where an HTTP/1.1 request ends in the bytes that were read (RFC 9112). Pure.

So the parser is never fed bytes of the next request before this one is answered. It validates nothing beyond its own
bounds: the parser does, with the bytes that are cut off here. Each byte is scanned once.
"""

import re
from typing import Final

END_OF_HEAD: Final = b"\r\n\r\n"
MOST_LINE_BYTES: Final = 1_024  # of the line with a chunk's size
MOST_TRAILER_BYTES: Final = 8_192
MOST_SMALL_CHUNKS: Final = 512  # chunks that may be as small as they like
LEAST_BYTES_OF_A_CHUNK: Final = 256  # average size that is required of the chunks beyond those
_LINE_ENDS: Final = re.compile(rb"[\r\n]*")


class Unreadable(ValueError):
    """The body is not framed as HTTP/1.1 says, or exceeds a bound (chunk line, trailer, number of small chunks)."""


class RequestExtent:
    """The extent of one request."""

    def __init__(self) -> None:
        self._left = 0
        self._is_chunked = False
        self._is_fresh = True  # nothing but empty lines has come so far
        self._trailer_bytes: int | None = None  # `None` until the trailer begins
        self._tail = b""  # the last bytes of a head, or the first bytes of a chunk's line, from earlier reads
        self._chunks = self._chunk_bytes = 0
        self.length: int | None = 0
        """Length of the body in bytes; `None` for a chunked body."""

    @property
    def has_body(self) -> bool:
        return self.length != 0

    @property
    def left(self) -> int | None:
        """Bytes of the body that have not arrived yet; `None` for a chunked body."""
        return None if self.length is None else self._left

    def head_ended(self, headers: list[tuple[bytes, bytes]]) -> None:
        """The head is complete: the body follows, as these headers say. The parser has checked that they agree."""
        named = dict(headers)
        if b"transfer-encoding" in named:
            self.length, self._is_chunked = None, True
        else:
            self.length = self._left = int(named.get(b"content-length", b"0"))
        self._tail = b""

    def end(self, data: bytes, position: int) -> int:
        """The position in `data` up to which the parser may be fed now, starting at `position`. Raises `Unreadable`."""
        if self._left:
            end = min(len(data), position + self._left)
            self._left -= end - position
            return end
        return self._end_of_line(data, position) if self._is_chunked else self._end_of_head(data, position)

    def _end_of_head(self, data: bytes, position: int) -> int:
        """The end of the part of a head, or of the trailer after the last chunk, that is in `data`."""
        begin = self._after_empty_lines(data, position) if self._is_fresh else position
        end = self._end_in(data, begin)
        if self._trailer_bytes is not None:
            self._trailer_bytes += end - position
            if self._trailer_bytes > MOST_TRAILER_BYTES:
                raise Unreadable
        self._is_fresh = self._is_fresh and begin == len(data)
        self._tail = (self._tail + data[max(begin, end - len(END_OF_HEAD)) : end])[-len(END_OF_HEAD) :]
        return end

    def _end_in(self, data: bytes, begin: int) -> int:
        for had in (3, 2, 1):
            if self._tail.endswith(END_OF_HEAD[:had]) and data.startswith(END_OF_HEAD[had:], begin):
                return begin + len(END_OF_HEAD) - had
        found = data.find(END_OF_HEAD, begin)
        return len(data) if found < 0 else found + len(END_OF_HEAD)

    def _after_empty_lines(self, data: bytes, position: int) -> int:
        """The position after the empty lines that may come before a request. Their number has no limit."""
        found = _LINE_ENDS.match(data, position)
        return position if found is None else found.end()

    def _end_of_line(self, data: bytes, position: int) -> int:
        """The end of the part of a chunk's size line that is in `data`."""
        found = data.find(b"\n", position)
        end = len(data) if found < 0 else found + 1
        self._tail += data[position : min(end, position + MOST_LINE_BYTES + 1)]
        if len(self._tail) > MOST_LINE_BYTES:
            raise Unreadable
        if found >= 0:
            self._line_ended()
        return end

    def _line_ended(self) -> None:
        line, self._tail = self._tail, b""
        size = _size_in(line)
        self._chunks += 1
        self._chunk_bytes += size
        if (self._chunks - MOST_SMALL_CHUNKS) * LEAST_BYTES_OF_A_CHUNK > self._chunk_bytes:
            raise Unreadable
        if size:
            self._left = size + len(b"\r\n")  # the line end after the chunk is counted with the chunk
        else:
            self._is_chunked, self._tail, self._trailer_bytes = False, b"\r\n", 0  # a trailer ends as a head does


def _size_in(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise Unreadable from None
