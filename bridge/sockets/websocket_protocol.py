"""uvicorn's WebSocket protocol, made synchronous: bytes in, one call; one call, bytes out. It decides nothing.

The `websockets` library judges every frame; only whole, masked text messages are read here without it, because they are
nearly all of them. Relies on internals of uvicorn's `WebSocketsSansIOProtocol` and of `websockets`' `ServerProtocol`
that `tests/bridge/sockets/test_uvicorn_contract.py` holds still.

What comes is read when `reader.py` says so. Nothing is read between the handshake's request and its answer, and nothing
at all of a client that was refused. How it ends is in `websocket_closing.py`.
"""

import socket
from asyncio.transports import BaseTransport
from typing import Any, Final, cast

import structlog
from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame, Opcode
from websockets.speedups import apply_mask

from bridge.budget.accounts import Holder
from bridge.budget.outboxes import MUCH_BYTES
from bridge.sockets.framing import Extent, is_ping_or_pong, is_plain_text
from bridge.sockets.ports import ASGI_EXTENSION, WHEN_GONE, Carried, offer
from bridge.sockets.reader import Reader
from bridge.sockets.websocket_closing import WebSocketClosing
from v3.refusals import FLOODED

MAX_FRAGMENTS: Final = 4_096
MAX_CONTROL_LENGTH: Final = 125
SEND_BUFFER_BYTES: Final = 256 * 1024

log = structlog.get_logger(__name__)


class WebSocketProtocol(WebSocketClosing):
    """One socket. Until a connection is attached it hands what it reads to the application, as uvicorn's own does."""

    outbox_bytes: int = 1_048_576

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._reader = Reader(self, self.budget, self.budget.stranger(self.client[0] if self.client else ""))
        self._is_full = self._is_attached = False

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if getattr(self, "scope", None) is not None:
            offer(self.scope, {ASGI_EXTENSION: self, WHEN_GONE: self._departure.when_gone})

    async def send(self, message: Any) -> None:
        """The application's way to write, until a connection is attached."""
        kind = message["type"]
        if self.transport.is_closing() and not self.handshake_complete:
            self.handshake_complete = True  # there is nobody left to answer: no error, and nothing to log
            raise ClientDisconnected  # or uvicorn would neither send nor say so
        if kind == "websocket.close":
            self.read_paused = False  # or uvicorn would start the socket again: what is left of it is ours to end
        await super().send(message)
        if kind == "websocket.accept":
            self._forget_handshake()
            self._reader.look()
        elif kind == "websocket.close":
            self._last_words()
        elif kind == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # or uvicorn would log that nobody answered it

    def _forget_handshake(self) -> None:
        """What was asked is in the scope, and what was answered is on its way: none reads them here any more."""
        self.request.headers.clear()
        self.response.headers.clear()

    async def receive(self) -> Any:
        """The application's way to read, until a connection is attached: one message, and then the next is read."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._reader.look()
        return message

    def attach(self, carried: Carried) -> None:
        """From now on every message goes to `carried`, in the turn of the loop in which it is read."""
        self._carried, self._reader.holder, self._is_attached = carried, carried.holder, True
        self.transport.set_write_buffer_limits(high=min(MUCH_BYTES, self.outbox_bytes))
        handle = self.transport.get_extra_info("socket")
        if handle is not None and handle.family != socket.AF_UNIX:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        while not self.queue.empty():
            self._hand_over(self.queue.get_nowait())
        self.read_paused = False
        if self.disconnected or self.close_sent:
            self._lose()
        self._reader.look()

    def take_messages_up_to(self, most_bytes: int) -> None:
        self.conn.max_message_size = most_bytes

    def pays(self, holder: Holder) -> None:
        """What comes is read on this holder's account from now on."""
        self._reader.holder = holder

    def write(self, frames: bytes) -> None:
        """Ready frames, now or as soon as the socket takes them."""
        self.transport.write(frames)
        if self._is_full:
            self._look_at_outbox()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            self._throw_away(len(data))
        elif not self.handshake_initiated:
            super().data_received(data)
        else:
            self._reader.add(data)
            self._judge_beginning()

    @property
    def may_read(self) -> bool:
        """Whether somebody takes what is read: a connection, or an application that has taken what was read before."""
        return self.handshake_complete and not self.read_paused

    def read(self, buffer: bytes, where: Extent) -> None:
        """One whole frame: a text message at once, anything else as the library has it."""
        if self._is_easy(buffer, where):
            self._take_text(apply_mask(buffer[where.start : where.end], buffer[where.mask : where.start]))
        else:
            self._judge(buffer[where.head : where.end])

    def _is_easy(self, buffer: bytes, where: Extent) -> bool:
        return (
            is_plain_text(buffer, where.head)
            and self.conn.current_size is None
            and where.end - where.start <= self._most_bytes
        )

    @property
    def _most_bytes(self) -> int:
        """Of one message. Socket.IO makes room for what it puts around it."""
        return cast(int, self.conn.max_message_size)

    def refuse_unread(self, buffer: bytes, where: Extent) -> None:
        """A frame of who has been over its budget on end: messages are refused, pings not answered, a close heeded."""
        if self._carried is None and not self.close_sent:
            self.read(buffer, where)  # it has nobody yet who could say so, and waits
        elif self._is_easy(buffer, where):
            self._refuse("rate_limited")
        elif not is_ping_or_pong(buffer, where.head):
            self._judge(buffer[where.head : where.end])

    def end_flood(self) -> None:
        self._refuse("rate_limited")
        self.begin_close(FLOODED, "rate_limited")
        self._last_words()

    def _judge_beginning(self) -> None:
        """A frame that has not come whole, and will be refused whatever follows: too large, or unmasked."""
        begun = self._reader.unread.incomplete()
        if begun is not None and (begun[0] > self._most_bytes or not begun[1]):
            self._judge(self._reader.unread.take_all())

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
        if self._carried is None:
            self._hand_to_application(payload)
            return
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
        data, self.frames = b"".join(self.frames), []
        if self._carried is None:
            self._hand_to_application(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            if self.curr_msg_data_type == "text":
                self._fail(1007, "not UTF-8")
            else:
                self._carried.refuse("binary_not_supported")
            return
        self._deliver(text)

    def _hand_to_application(self, data: bytes) -> None:
        """Where no connection is attached: the next message is read once this one was taken. After an end, dropped."""
        if not self.close_sent and not self._is_attached:
            self.queue.put_nowait({"type": "websocket.receive", "text": data.decode(errors="replace")})
            self.read_paused = True

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        if self._carried is not None:
            self._carried.alive()

    def connection_lost(self, exc: Exception | None) -> None:
        self.budget.outboxes.drain(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Much waits, from within the write that made it so."""
        super().pause_writing()
        self._is_full = True
        self.budget.outboxes.fill(self)
        self._look_at_outbox()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_full = False
        self.budget.outboxes.drain(self)

    def waiting_bytes(self) -> int:
        """What the socket has not taken yet."""
        return self.transport.get_write_buffer_size()

    def _look_at_outbox(self) -> None:
        if self._carried is not None and self.waiting_bytes() > self.outbox_bytes:
            self.loop.call_soon(self.cut)  # not now: the hub is still writing to others

    def cut(self) -> None:
        """A slow consumer: an ERROR and the close are the last that is queued."""
        if self._carried is not None:
            self._carried.refuse("slow_consumer")
            self._abort_after(self.close_timeout)
