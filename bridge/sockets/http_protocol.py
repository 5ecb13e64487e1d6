"""The HTTP protocol class of the server: uvicorn's, but with one request at a time. It decides and logs nothing.

A request is parsed only when the request before it is answered. Until then the bytes that follow wait unparsed, and
reading is paused. Parsing is done in turns of the budget, in pieces. How a connection ends is in `http_closing.py`.
"""

from time import perf_counter
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.utils import get_remote_addr

from bridge.budget.turns import A_CONNECTION_SECONDS, A_READ_SECONDS
from bridge.sockets.head import (
    MAX_HEADERS,
    SUBPROTOCOLS,
    HeadSize,
    first_subprotocol,
    has_too_many_fields,
    is_request_line_too_long,
    is_used,
    names_two_hosts,
    origin_form,
)
from bridge.sockets.http_closing import HttpClosing
from bridge.sockets.opening_answer import has_body, key_or_refusal
from bridge.sockets.ports import ABORT, VOUCH, WHEN_GONE, offer
from bridge.sockets.request_extent import RequestExtent, Unreadable
from bridge.sockets.websocket_opening import WebSocketOpening, handshake_scope
from bridge.system.allocator import c_library

PIECES_AT_ONCE: Final = 64
MOST_UNWANTED_BYTES: Final = 1_048_576  # of a body that are still read when its response has been sent early


class HttpProtocol(HttpClosing):
    """One HTTP connection, until it is upgraded to a WebSocket or ends."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        with c_library:
            super().__init__(*arguments, **named)

    def connection_made(self, transport: Any) -> None:
        with c_library:
            super().connection_made(transport)
            self._begin(transport)

    def _begin(self, transport: Any) -> None:
        address = self.client[0] if self.client else ""
        self._holder, self._heads = self.budget.peer(address), self.budget.heads(address)
        self._is_resuming = self._waits = False
        self._status = 400
        self._next_request()
        self._deadline.expect(self._end_late)
        if self.client is None:  # the peer has reset the connection already
            transport.abort()
        else:
            self.strangers.came(transport, address)
        self.budget.turns.spent(self._heads, 0, 0, A_CONNECTION_SECONDS)

    def _break_cycles(self) -> None:
        super()._break_cycles()
        self._line.withdraw(self)

    def data_received(self, data: bytes) -> None:
        if self._discarded is not None:
            self._discarded.came(len(data))
        if self._discards_input:
            return
        self._unset_keepalive_if_required()
        self._data, self._position = self._data[self._position :] + data, 0
        self._take_turn()

    def _take_turn(self) -> None:
        """Parse now if it may be done now, else in this connection's next turn, with reading paused until then."""
        if self._waits:
            return
        if self.budget.turns.may_go_on(self._line):
            self.go_on()
        else:
            self._wait()

    def _wait(self) -> None:
        self._waits = True
        self.flow.hold()
        self.budget.turns.wait(self._line, self)

    def go_on(self) -> None:
        """Parse some of what was read: it is this connection's turn."""
        self._waits = False
        self.flow.release()
        if not self._discards_input and not self.transport.is_closing():
            line, began = self._line, perf_counter()
            self._read()
            seconds = perf_counter() - began
            self.budget.turns.spent(line, 0, 0, A_READ_SECONDS + seconds)
            if line is self._heads:
                self._holder.spend(0, 0, seconds * 1_000)

    def _read(self) -> None:
        """Parse some pieces, and not beyond the end of the current request."""
        if not self._deadline.is_whole:
            self._deadline.expect(self._end_late)
        try:
            with c_library:
                self._feed_on()
        except Unreadable:
            self._refuse_request(400)
        if not self._deadline.is_whole:
            self._line = self._holder  # the request did not arrive all at once
        if self._position == len(self._data):
            self._data, self._position = b"", 0
        elif not self._discards_input and self._deadline.is_whole:
            self.flow.hold()
        elif not self._discards_input:
            self._wait()

    def _feed_on(self) -> None:
        """Feed the parser at most `PIECES_AT_ONCE` pieces: a head, lines and chunks of a body."""
        for _ in range(PIECES_AT_ONCE):
            if self._position == len(self._data) or self._discards_input or self._deadline.is_whole:
                break
            begin, self._position = self._position, self._extent.end(self._data, self._position)
            self._feed(self._data[begin : self._position])

    def _feed(self, part: bytes) -> None:
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            elif self._extent.has_body:
                self._resume_parser()
        except httptools.HttpParserError:
            self._refuse_request(self._status)
        else:
            self._measure(part)

    def _measure(self, part: bytes) -> None:
        if not self._deadline.is_in_head:
            self._deadline.body_bytes += len(part)
            if self._is_vouched:
                self.strangers.asked(self.transport)
        elif self._head_size.is_too_large(part):
            self._refuse_request(431)

    def _resume_parser(self) -> None:
        """Ignore an upgrade to a protocol that is not supported, and parse the body.

        httptools stops at an upgrade and forgets the body's length. So a new parser is given a head with that length.
        """
        name = b"transfer-encoding" if self._extent.length is None else b"content-length"
        value = b"chunked" if self._extent.length is None else b"%d" % self._extent.length
        self._is_resuming = True
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%s: %s\r\n\r\n" % (name, value))
        self._is_resuming = False

    def _next_request(self) -> None:
        self._deadline.begin()
        self._line = self._heads
        self._is_vouched = False
        self._head_size = HeadSize()
        self._extent = RequestExtent()

    def _go_on(self) -> None:
        """Parse the next request, once the one before it is answered and the client has read enough of the response."""
        if (
            self._discards_input
            or not self._deadline.is_whole
            or not self.cycle.response_complete
            or self.flow.write_paused
        ):
            return
        if self.transport.is_closing():
            return
        self._next_request()
        if self._data:
            self._unset_keepalive_if_required()
            self._take_turn()
        else:
            self.flow.release()

    def on_message_begin(self) -> None:
        if self._is_resuming:
            return
        self.cycle = None  # type: ignore[assignment]  # the request before this one is over
        super().on_message_begin()
        offer(
            self.scope,
            {VOUCH: self._vouch, WHEN_GONE: self._departure.when_gone, ABORT: self.transport.abort},
        )

    def on_url(self, url: bytes) -> None:
        if self._is_resuming:
            return
        super().on_url(url)
        if not url.isascii():
            raise Unreadable
        if is_request_line_too_long(self.parser.get_method(), self.url):
            self._status = 414
            raise Unreadable

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_resuming:
            return
        if self._head_size.is_header_too_large(name, value) or len(self.headers) >= MAX_HEADERS:
            self._status = 431
            raise Unreadable
        if name.lower() == SUBPROTOCOLS:
            self._on_subprotocols(value)
        elif is_used(name):
            super().on_header(name, value)

    def _on_subprotocols(self, value: bytes) -> None:
        first = first_subprotocol(value)
        if first is not None and all(known != SUBPROTOCOLS for known, _ in self.headers):
            super().on_header(SUBPROTOCOLS, first)

    def on_headers_complete(self) -> None:
        if self._is_resuming:
            return
        self._deadline.is_in_head = False
        self.url = origin_form(self.url)
        if has_too_many_fields(self.url) and not self._should_upgrade():  # for a handshake its door refuses that
            self._status = 414
            raise Unreadable
        if names_two_hosts(self.headers):
            raise Unreadable
        self._extent.head_ended(self.headers)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade() and (self._should_upgrade() or self._extent.has_body):
            return
        self._deadline.complete()
        self.strangers.asked(self.transport)
        if self._is_vouched:
            self._vouch()
        super().on_message_complete()
        if self.cycle.response_complete:
            self.loop.call_soon(self._go_on)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._response_deadline.watch()
        self.strangers.served(self.transport)
        if self._deadline.is_whole:
            self.loop.call_soon(self._go_on)
        elif self._extent.left is None or self._extent.left > MOST_UNWANTED_BYTES:
            self._shut()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._response_deadline.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._response_deadline.end()
        self._go_on()

    def handle_websocket_upgrade(self) -> None:
        self._deadline.end()
        versions = [value for name, value in self.headers if name == b"sec-websocket-version"]
        if versions != [b"13"] and versions:
            self._refuse_request(426, b"sec-websocket-version: 13\r\nupgrade: websocket\r\n")
        elif self.transport.get_write_buffer_size():
            self._refuse_request(400)  # no real client asks for an upgrade before it has read the responses before it
        else:
            self._become_websocket()

    def _become_websocket(self) -> None:
        if get_remote_addr(self.transport) is None:  # the peer has reset the connection
            self.transport.abort()
        elif has_body(self.headers):
            self._refuse_request(400)
        else:
            self._open_websocket(*key_or_refusal(self.scope["method"], self.headers))

    def _open_websocket(self, key: bytes, refusal: bytes) -> None:
        if refusal:
            self.transport.write(refusal)
            return self._shut()
        self.connections.discard(self)
        scope, rest = handshake_scope(self.scope, self.url), self._data[self._position :]
        self._break_cycles()
        opening = cast(type[WebSocketOpening], self.ws_protocol_class)(self.transport, self.server_state, key)
        return opening.begin(self.app, scope, rest)

    def _vouch(self) -> None:
        """Mark the socket as authenticated, but not before the request is complete.

        A client that never completes its request is ended like any unauthenticated one.
        """
        self._is_vouched = True
        if self._deadline.is_whole:
            self.strangers.vouch(self.transport)
