"""uvicorn's HTTP protocol with an answer for heads that are too large, too slow, or of another WebSocket version.

It decides nothing else. Without it a handshake with a long line is never answered at all, and a client that never
finishes its request stays for ever.
"""

from asyncio import TimerHandle
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_LINE_BYTES: Final = 8_192  # its end included, as `websockets` counts
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 65_536
REQUEST_SECONDS: Final = 8.0
LINGER_SECONDS: Final = 0.5
_REST_OF_REQUEST_LINE: Final = len("  HTTP/1.1\r\n")
_REST_OF_HEADER_LINE: Final = len(": \r\n")
_SENTENCES: Final = {
    400: "This is no HTTP request.",
    414: "The request line is longer than 8 KiB.",
    426: "This server speaks version 13 of the WebSocket protocol.",
    431: "The request's header is too large: at most 100 lines of 8 KiB.",
}


class _Unreadable(Exception):
    """Raised through the parser, which gives up."""


class HttpProtocol(HttpToolsProtocol):
    """One connection before it becomes a WebSocket, if it does."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._turned_away = False
        self._status = 400
        self._head_bytes = self._line_bytes = 0
        self._in_head = True
        self._request_timer: TimerHandle | None = None
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._request_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        super().data_received(data)
        if self._in_head and not self._turned_away:
            self._head_bytes += len(data)
            self._measure_line(data)
            if self._head_bytes > MAX_HEAD_BYTES or self._line_bytes > MAX_LINE_BYTES:
                self._turn_away(431)

    def _measure_line(self, data: bytes) -> None:
        """How long the line is that has not ended yet: the parser says nothing of it before it does."""
        end = data.rfind(b"\n")
        self._line_bytes = len(data) - end - 1 if end >= 0 else self._line_bytes + len(data)

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes, self._line_bytes = True, 0, 0
        self._expect_request()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if not url.isascii():
            raise _Unreadable
        if len(self.parser.get_method()) + len(self.url) + _REST_OF_REQUEST_LINE > MAX_LINE_BYTES:
            self._status = 414
            raise _Unreadable

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) + len(value) + _REST_OF_HEADER_LINE > MAX_LINE_BYTES or len(self.headers) >= MAX_HEADERS:
            self._status = 431
            raise _Unreadable
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._request_arrived()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._request_arrived()
        versions = [value for name, value in self.headers if name == b"sec-websocket-version"]
        if versions != [b"13"] and versions:
            self._turn_away(426, b"sec-websocket-version: 13\r\nupgrade: websocket\r\n")
            return
        super().handle_websocket_upgrade()
        if not cast(WebSocketsSansIOProtocol, self.transport.get_protocol()).handshake_initiated:
            # `websockets` gave up reading the request (it is no GET, or has a body), and uvicorn does not say so.
            self._turn_away(400)

    def send_400_response(self, msg: str) -> None:
        self._turn_away(self._status)

    def _turn_away(self, status: int, headers: bytes = b"") -> None:
        """Answer and shut the writing side; what still arrives is thrown away, so that the answer is not lost."""
        self._turned_away = True
        self._request_arrived()
        text = _SENTENCES[status].encode()
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n" % len(text)
        self.transport.write(STATUS_LINE[status] + head + headers + b"\r\n" + text)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _expect_request(self) -> None:
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _request_arrived(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None
