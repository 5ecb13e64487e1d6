"""uvicorn's WebSocket protocol class, made synchronous: one call for each message in, one call for bytes out.

It decides nothing. The `websockets` library checks every frame, except unfragmented, masked text messages: nearly all
messages are of that kind, and they are read here without the library. It relies on internals of uvicorn's
`WebSocketsSansIOProtocol` and of `websockets`' `ServerProtocol`; `tests/bridge/sockets/test_uvicorn_contract.py` fails
when they change.

`reader.py` decides when received bytes are read. Nothing is read before the handshake is answered, and nothing of a
client that was refused. How a socket ends is in `websocket_closing.py`, how it sends in `websocket_outbox.py`.
"""

import socket
from asyncio.transports import BaseTransport
from typing import Any, Final, cast

import structlog
from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame, Opcode
from websockets.speedups import apply_mask

from bridge.budget.accounts import Holder
from bridge.sockets.framing import Extent, is_ping_or_pong, is_plain_text
from bridge.sockets.ports import ASGI_EXTENSION, WHEN_GONE, Carried, offer
from bridge.sockets.reader import Reader
from bridge.sockets.websocket_outbox import WebSocketOutbox
from v3.refusals import FLOODED

MAX_FRAGMENTS: Final = 4_096
MAX_CONTROL_LENGTH: Final = 125
SEND_BUFFER_BYTES: Final = 256 * 1024

log = structlog.get_logger(__name__)


class WebSocketProtocol(WebSocketOutbox):
    """One socket. Until a connection is attached, messages go to the application's `receive`, as in uvicorn's class."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._reader = Reader(self, self.budget, self.budget.stranger(self.client[0] if self.client else ""))
        self._is_attached = False

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if getattr(self, "scope", None) is not None:
            offer(self.scope, {ASGI_EXTENSION: self, WHEN_GONE: self._departure.when_gone})

    async def send(self, message: Any) -> None:
        """The ASGI `send` of the application, used until a connection is attached."""
        kind = message["type"]
        if self.transport.is_closing() and not self.handshake_complete:
            self.handshake_complete = True  # the client is gone: this is no error, and uvicorn must not log one
            raise ClientDisconnected  # uvicorn would send nothing and raise nothing
        if kind == "websocket.close":
            self.read_paused = False  # otherwise uvicorn would resume reading; `_shut_down_writing` ends the socket
        await super().send(message)
        if kind == "websocket.accept":
            self._forget_handshake()
            self._reader.look()
        elif kind == "websocket.close":
            self._shut_down_writing()
        elif kind == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # otherwise uvicorn would log that the handshake was not answered

    def _forget_handshake(self) -> None:
        """Free the headers of request and response: the scope has its own copy, and the response has been sent."""
        self.request.headers.clear()
        self.response.headers.clear()

    async def receive(self) -> Any:
        """The ASGI `receive` of the application, used until a connection is attached.

        The next message is read from the socket only when this one is taken.
        """
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._reader.look()
        return message

    def attach(self, carried: Carried) -> None:
        """From now on pass every message to `carried`, in the turn of the loop in which it is read."""
        self._carried, self._reader.holder, self._is_attached = carried, carried.holder, True
        self._watch_outbox()
        handle = self.transport.get_extra_info("socket")
        if handle is not None:
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
        """Charge what is read to this holder, from now on."""
        self._reader.holder = holder

    def data_received(self, data: bytes) -> None:
        if self._discards_input:
            self._throw_away(len(data))
        elif not self.handshake_initiated:
            super().data_received(data)
        else:
            self._is_alive = True
            self._reader.add(data)
            self._judge_beginning()

    @property
    def may_read(self) -> bool:
        """Whether a message can be handled: a connection is attached, or the application has taken the last message."""
        return self.handshake_complete and not self.read_paused

    def read(self, buffer: bytes, where: Extent) -> None:
        """Handle one complete frame: an unfragmented text message directly, any other frame by the library."""
        if self._is_easy(buffer, where):
            self._take(apply_mask(buffer[where.start : where.end], buffer[where.mask : where.start]), is_text=True)
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
        """The largest size of a message in bytes. Socket.IO adds the size of its envelope."""
        return cast(int, self.conn.max_message_size)

    def refuse_unread(self, buffer: bytes, where: Extent) -> None:
        """Refuse a frame of a connection that stays over its budget.

        Messages are refused, pings and pongs ignored, a close frame is handled.
        """
        if self._carried is None and not self.close_sent:
            self.read(buffer, where)  # no connection is attached yet that could refuse it: the application reads it
        elif self._is_easy(buffer, where):
            self._refuse("rate_limited")
        elif not is_ping_or_pong(buffer, where.head):
            self._judge(buffer[where.head : where.end])

    def end_flood(self) -> None:
        self._refuse("rate_limited")
        self.begin_close(FLOODED, "rate_limited")
        self._shut_down_writing()

    def _judge_beginning(self) -> None:
        """Refuse an incomplete frame at once when its header shows that it is too large or not masked."""
        begun = self._reader.unread.incomplete()
        if begun is not None and (begun[0] > self._most_bytes or not begun[1]):
            self._judge(self._reader.unread.take_all())

    def _judge(self, frame: bytes) -> None:
        """Pass a frame to the library, which checks and handles it."""
        if frame[0] & 0x0F == Opcode.CLOSE:
            # A close between two fragments is a close (RFC 6455 5.5.1), not a protocol error.
            self.conn.current_size = None
        if frame[0] & 0x08 and frame[1] & 0x7F > MAX_CONTROL_LENGTH:
            # The library would check the message size first, and close with 1009.
            self._fail(1002, "control frame too long")
            return
        self.conn.receive_data(frame)
        self.handle_events()
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()

    def _take(self, payload: bytes, *, is_text: bool) -> None:
        reader = self._carried or self._heard_out
        if reader is None:
            self._hand_to_application(payload)
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            if is_text:
                self._fail(1007, "not UTF-8")
                return
            text = None
        if text is None or not (is_text or reader.reads_binary):
            self._refuse("binary_not_supported")
        else:
            self._deliver(text)

    def _deliver(self, text: str) -> None:
        reader = self._carried or self._heard_out
        if reader is None:
            return
        try:
            reader.receive(text)
        except Exception:
            log.exception("message_failed")
            WebSocketProtocol.errors += 1

    errors: int = 0

    def _hand_over(self, event: Any) -> None:
        """Deliver a message that was read before the connection was attached."""
        if event["type"] == "websocket.receive" and event.get("text") is not None:
            self._deliver(event["text"])

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > MAX_FRAGMENTS:
            self.frames = []
            self._fail(1008, "too many fragments")

    def send_receive_event_to_app(self) -> None:
        data, self.frames = b"".join(self.frames), []
        self._take(data, is_text=self.curr_msg_data_type == "text")

    def _hand_to_application(self, data: bytes) -> None:
        """Queue a message for the application, and pause reading until it is taken.

        Dropped when the socket is closing, or when its connection is over.
        """
        if not self.close_sent and not self._is_attached:
            self.queue.put_nowait({"type": "websocket.receive", "text": data.decode(errors="replace")})
            self.read_paused = True

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        if self._carried is not None:
            self._carried.alive()
