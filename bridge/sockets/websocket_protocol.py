"""An open WebSocket, made synchronous: one call for each message in, one call for bytes out.

It begins when its handshake is answered (`websocket_opening.py`), and is small while it is idle: no task, no request
and no library is kept for it. It decides nothing. The `websockets` library checks every frame (`frame_checker.py`),
except whole messages: nearly all are of that kind, and they are read here without the library.

`reader.py` decides when received bytes are read. Nothing is read before a connection is attached or the application
asks (`websocket_messages.py`), and nothing of a client that was refused. How a socket ends is in
`websocket_closing.py`, how it sends in `websocket_outbox.py`.
"""

import asyncio
from time import perf_counter
from typing import Any

import structlog
from websockets.frames import Frame, Opcode
from websockets.speedups import apply_mask

from bridge.budget.accounts import Holder
from bridge.sockets.frame_checker import FrameChecker
from bridge.sockets.framing import (
    MAX_CONTROL_LENGTH,
    Extent,
    is_ping_or_pong,
    is_plain,
    is_plain_pong,
    is_text,
    pong_frame,
    start_of_only_text,
)
from bridge.sockets.ports import Carried
from bridge.sockets.reader import Reader
from bridge.sockets.receive_buffer import ReceiveBuffer
from bridge.sockets.websocket_closing import Phase
from bridge.sockets.websocket_outbox import WebSocketOutbox
from v3.refusals import FLOODED

log = structlog.get_logger(__name__)


class WebSocketProtocol(WebSocketOutbox):
    """One socket. `may_read`: whether a message can be handled now: not before there is somebody to take it."""

    __slots__ = ("_checker", "_most_bytes", "may_read")

    most_message_bytes: int
    """The largest size of a message, unless `take_messages_up_to` sets another."""
    errors: int = 0

    def __init__(
        self, transport: asyncio.Transport, open_sockets: set[Any], holder: Holder, *, is_forwarded: bool
    ) -> None:
        """`holder` pays for what is read. For the others see `WebSocketClosing`."""
        super().__init__(transport, open_sockets, is_forwarded=is_forwarded)
        self._reader = Reader(self, self.budget, holder)
        self._checker: FrameChecker | None = None
        self._most_bytes = self.most_message_bytes
        self.may_read = False

    def begin(self, carried: Carried, early: bytes) -> None:
        """The handshake is answered: `carried` gets what the client sends, from `early` on, when it may be read."""
        self._carried = carried
        self._open.add(self)
        self.transport.set_protocol(self)
        self._start_keepalive()
        if early:
            self._is_stopped = True  # as the handshake has left it
            self._reader.add(early)

    def end_unless_attached(self, before: Carried) -> None:
        """The application is done with a client. If nothing has taken the place of what was `before`, it ends."""
        if self._carried is before:
            self.transport.close()
            self._abort_unless_flushed()

    def attach(self, carried: Carried) -> None:
        """From now on pass every message to `carried`, in the turn of the loop in which it is read."""
        self.strangers.vouch(self.transport)
        self._reader.holder = carried.holder
        if self.phase is not Phase.OPEN:
            return carried.lost()
        self._carried = carried
        self._watch_outbox()
        return self.read_on()

    def read_on(self) -> None:
        """Read messages from now on, those first that have arrived already."""
        self.may_read = True
        self._reader.look()

    def take_messages_up_to(self, most_bytes: int) -> None:
        """Set the largest size of a message for this socket, in place of the server's."""
        self._most_bytes = most_bytes

    def pays(self, holder: Holder) -> None:
        """Charge what is read to this holder, from now on."""
        self._reader.holder = holder

    def data_received(self, data: bytes) -> None:
        self._is_alive = True
        start, carried = start_of_only_text(data, self._most_bytes), self._carried
        if not start or carried is None or self._checker is not None or not (self.may_read and self._reader.is_ready):
            return self._receive(data)
        began = perf_counter()
        self._take(apply_mask(data[start:], data[start - 4 : start]), is_text=True)
        return self._reader.has_read(len(data), perf_counter() - began)

    def _receive(self, data: bytes) -> None:
        if self.phase >= Phase.DISCARDING:
            self._throw_away(len(data))
        else:
            self._reader.add(data)

    def read(self, buffer: bytes, where: Extent) -> None:
        """Handle one complete frame: a whole message or a pong directly, any other frame by the library."""
        if self._is_easy(buffer, where):
            payload = apply_mask(buffer[where.start : where.end], buffer[where.mask : where.start])
            self._take(payload, is_text=is_text(buffer, where.head))
        elif is_plain_pong(buffer, where.head):
            self._tell_alive()
        else:
            self._judge(buffer[where.head : where.end])

    def _is_easy(self, buffer: bytes, where: Extent) -> bool:
        return is_plain(buffer, where.head) and self._checker is None and where.end - where.start <= self._most_bytes

    def refuse_unread(self, buffer: bytes, where: Extent) -> None:
        """Refuse a frame of a connection that stays over its budget.

        Messages are refused, pings and pongs ignored, a close frame is handled.
        """
        if self._is_easy(buffer, where):
            self._refuse("rate_limited")
        elif not is_ping_or_pong(buffer, where.head):
            self._judge(buffer[where.head : where.end])

    def end_flood(self) -> None:
        self._refuse("rate_limited")
        self.fail(FLOODED, "rate_limited")

    def judge_beginning(self, unread: ReceiveBuffer) -> None:
        """Refuse an incomplete frame at once when its header shows that it is too large or not masked."""
        begun = unread.incomplete()
        if begun is not None and (begun[0] > self._most_bytes or not begun[1]):
            self._judge(unread.take_all())

    def _judge(self, frame: bytes) -> None:
        """Have the library check a frame, and handle what follows from it."""
        if frame[0] & 0x08 and frame[1] & 0x7F > MAX_CONTROL_LENGTH:
            # The library would check the message size first, and close with 1009.
            return self.fail(1002, "control frame too long")
        checker = self._checker or FrameChecker(self._most_bytes)
        if frame[0] & 0x0F == Opcode.CLOSE:
            checker.expect_close()
        for event in checker.check(frame):
            self._heed(event)
        if checker.failure is not None:
            refusal = "message_too_big" if checker.failure.code == 1009 else ""
            self.fail(checker.failure.code, checker.failure.reason, refusal)
        self._keep(checker)
        return None

    def _keep(self, checker: FrameChecker) -> None:
        """Keep it while a message is in fragments that may still be heard."""
        if checker.is_amid_message and self.phase < Phase.DISCARDING:
            self._checker = checker
        else:
            self._checker = None
            checker.end()

    def _heed(self, event: Frame) -> None:
        if event.opcode is Opcode.CLOSE:
            self._answer_close(event.serialize(mask=False))
        elif event.opcode is Opcode.PING:
            self.transport.write(pong_frame(bytes(event.data)))
        elif event.opcode is not Opcode.PONG:
            self._take(bytes(event.data), is_text=event.opcode is Opcode.TEXT)

    def _take(self, payload: bytes, *, is_text: bool) -> None:
        reader = self._carried or self._heard_out
        if reader is None:
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            if is_text:
                self.fail(1007, "not UTF-8")
            else:
                self._refuse("binary_not_supported")
            return
        if is_text or reader.reads_binary:
            self._deliver(reader, text)
        else:
            self._refuse("binary_not_supported")

    def _deliver(self, reader: Carried, text: str) -> None:
        try:
            reader.receive(text)
        except Exception:
            log.exception("message_failed")
            WebSocketProtocol.errors += 1

    def _refuse(self, code: str) -> None:
        if self._carried is not None:
            self._carried.refuse(code)

    def _end_reading(self) -> None:
        super()._end_reading()
        if self._checker is not None:
            self._checker.end()
            self._checker = None
