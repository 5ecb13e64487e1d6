"""uvicorn's WebSocket protocol, made synchronous: bytes in, one call; one call, bytes out. It decides nothing.

The `websockets` library judges every frame; only whole, masked text messages are read here without it, because they are
nearly all of them. Relies on internals of uvicorn's `WebSocketsSansIOProtocol` and of `websockets`' `ServerProtocol`
that `tests/bridge/sockets/test_uvicorn_contract.py` holds still.

No close may wait for a client that does not read, and none may be lost by closing over unread bytes: after the close
frame the writing side is shut, what still arrives is thrown away, and a timer aborts.
"""

import socket
from asyncio.transports import BaseTransport
from typing import Any, Final, cast

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.speedups import apply_mask

from bridge.sockets.ends import ASGI_EXTENSION, Carried
from bridge.sockets.framing import extent, is_plain_text

FLUSH_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 2.0
MAX_FRAGMENTS: Final = 4_096
MAX_CONTROL_LENGTH: Final = 125
SEND_BUFFER_BYTES: Final = 256 * 1024

log = structlog.get_logger(__name__)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One socket. Until a connection is attached it behaves as uvicorn's own."""

    outbox_bytes: int = 1_048_576

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._carried: Carried | None = None
        self._tail = bytearray()
        self._wanted = 0
        self._is_deaf = False
        self.close_timeout = FLUSH_SECONDS

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if getattr(self, "scope", None) is not None:
            cast(dict[str, Any], self.scope["extensions"])[ASGI_EXTENSION] = self

    async def send(self, message: Any) -> None:
        """A handshake that was answered in HTTP is complete, too: uvicorn would log that nobody answered it."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def attach(self, carried: Carried) -> None:
        """From now on every message goes to `carried`, in the turn of the loop in which it arrives."""
        self._carried = carried
        self.transport.set_write_buffer_limits(high=self.outbox_bytes)
        handle = self.transport.get_extra_info("socket")
        if handle is not None and handle.family != socket.AF_UNIX:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        while not self.queue.empty():
            self._hand_over(self.queue.get_nowait())
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.disconnected or self.close_sent:
            self._lose()

    def write(self, frames: bytes) -> None:
        """Ready frames, now or as soon as the socket takes them."""
        self.transport.write(frames)

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """The close frame after everything written and `last`; aborted if it is not flushed and answered in time."""
        self._lose()
        if self.close_sent or self.disconnected:
            return
        if self.conn.state is not State.OPEN:
            self.transport.write(last)  # the library's own close follows
            return
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join((last, *self.conn.data_to_send())))  # one write: a tenant's move is many of these
        self.close_sent = True
        self._abort_after(FLUSH_SECONDS)

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if self._carried is None and not self.close_sent:
            super().data_received(data)
            return
        if self._tail:
            self._tail += data
            if len(self._tail) < self._wanted:
                return
            data, self._tail = bytes(self._tail), bytearray()
        self._wanted = 0
        self._read_frames(data)

    def _read_frames(self, data: bytes) -> None:
        position, end = 0, len(data)
        while position < end and not self._is_deaf:
            where = extent(data, position)
            if where is None or where.end > end:
                if where is not None and self._is_hopeless(data, position, where.end - where.start):
                    self._judge(data[position:])
                    return
                self._wanted = 0 if where is None else where.end - position
                self._tail += data[position:]
                return
            if is_plain_text(data, position) and self.conn.current_size is None and self._fits(where.end - where.start):
                self._take_text(apply_mask(data[where.start : where.end], data[where.mask : where.start]))
            else:
                self._judge(data[position : where.end])
            position = where.end

    def _fits(self, length: int) -> bool:
        return length <= self.config.ws_max_size

    def _is_hopeless(self, data: bytes, position: int, length: int) -> bool:
        """Whether a frame that has not arrived whole will be refused whatever follows: too large, or unmasked."""
        return not self._fits(length) or not data[position + 1] & 0x80

    def _judge(self, frame: bytes) -> None:
        """A frame that is not plain text: the library says what it is."""
        if frame[0] & 0x0F == Opcode.CLOSE:
            # A close between two fragments is a close (RFC 6455 5.5.1), not a protocol error.
            self.conn.current_size = None
        if frame[0] & 0x08 and frame[1] & 0x7F > MAX_CONTROL_LENGTH:
            # The library would judge its size first, and say 1009.
            self._fail(1002, "control frame too long")
            return
        self.conn.receive_data(frame)
        self.handle_events()
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()

    def _take_text(self, payload: bytes) -> None:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return
        self._deliver(text)

    def _deliver(self, text: str) -> None:
        if self._carried is None:
            return
        try:
            self._carried.receive(text)
        except Exception:
            log.exception("message_failed")
            self._carried_errors()

    def _carried_errors(self) -> None:
        """Count what nobody foresaw; the connection lives."""
        type(self).errors += 1

    errors: int = 0

    def _hand_over(self, event: Any) -> None:
        """What arrived before the connection was attached."""
        if event["type"] == "websocket.receive" and event.get("text") is not None:
            self._deliver(event["text"])

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > MAX_FRAGMENTS:
            self.frames = []
            self._fail(1008, "too many fragments")

    def send_receive_event_to_app(self) -> None:
        if self._carried is None:
            self._before_attachment()
            return
        data, self.frames = b"".join(self.frames), []
        try:
            text = data.decode()
        except UnicodeDecodeError:
            if self.curr_msg_data_type == "text":
                self._fail(1007, "not UTF-8")
            else:
                self._carried.refuse("binary_not_supported")
            return
        self._deliver(text)

    def _before_attachment(self) -> None:
        """A client that talks before the handshake is over: what is not text is dropped rather than logged."""
        data, self.frames = b"".join(self.frames), []
        if not self.close_sent:
            self.queue.put_nowait({"type": "websocket.receive", "text": data.decode(errors="replace")})
            if not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        if self._carried is not None:
            self._carried.alive()

    def handle_close(self, event: Frame) -> None:
        self._lose()
        if self.close_sent:
            self.transport.close()
        else:
            super().handle_close(event)
            self.close_sent = True
        self._abort_after(FLUSH_SECONDS)

    def handle_parser_exception(self) -> None:
        closing = self.conn.close_sent
        if closing is not None and closing.code == 1009 and self._carried is not None:
            self._carried.refuse("message_too_big")
        self._lose()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006 if closing is None else closing.code})
        self._last_words()

    def _fail(self, code: int, reason: str) -> None:
        if self.conn.state is State.OPEN:
            self.conn.fail(code, reason)
        self._lose()
        self._last_words()

    def _last_words(self) -> None:
        """Write what the library left to say, shut the writing side, and throw away what still arrives."""
        if self._is_deaf:
            return
        self._is_deaf = self.close_sent = True
        self.stop_keepalive()
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            if self.transport.can_write_eof():
                self.transport.write_eof()
            if self.read_paused:
                self.transport.resume_reading()
        self._abort_after(LINGER_SECONDS)

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self._lose()
        if not self.transport.is_closing() and self.conn.state is State.OPEN:
            self.conn.fail(1011, "keepalive ping timeout")
        self._last_words()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._carried is not None:
            # Called from within a write: the hub is still writing to others.
            self.loop.call_soon(self._overrun)

    def _overrun(self) -> None:
        if self._carried is not None:
            self._carried.refuse("slow_consumer")
            self._abort_after(FLUSH_SECONDS)

    def eof_received(self) -> None:
        self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()
        super().connection_lost(exc)

    def _lose(self) -> None:
        carried, self._carried = self._carried, None
        if carried is not None:
            carried.lost()

    def _abort_after(self, seconds: float) -> None:
        if self.disconnected:
            return
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)

    def shutdown(self) -> None:
        """uvicorn's own end of the world; ours has closed everything politely before."""
        self._lose()
        super().shutdown()
        self._abort_after(LINGER_SECONDS)
