"""The slow, correct way for any other ASGI server: one `send_text` per listener. It decides nothing.

Bounded as our own wire is: when more than the bound waits, the client is a slow consumer.
"""

import asyncio
import contextlib
from collections import deque
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.sockets.framing import payloads
from bridge.sockets.ports import Carried

FLUSH_SECONDS: Final = 5.0


class AsgiWire:
    """One accepted socket of a server that offers no wire of its own."""

    def __init__(self, websocket: WebSocket, outbox_bytes: int, max_message_bytes: int) -> None:
        self._websocket = websocket
        self._outbox_bytes = outbox_bytes
        self._max_message_bytes = max_message_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._more = asyncio.Event()
        self._close: tuple[int, str] | None = None
        self._carried: Carried | None = None

    def write(self, frames: bytes) -> None:
        """Ready frames; more than the bound makes a slow consumer, whose last words are still taken."""
        if self._close is not None:
            return
        self._waiting.append(frames)
        self._waiting_bytes += len(frames)
        self._more.set()
        self._end_if_slow()

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """The close frame after everything written and `last`."""
        if self._close is None:
            self._close = (code, reason)
            self._waiting.append(last)
            self._waiting_bytes += len(last)
            self._more.set()

    def abort(self) -> None:
        """End the connection as soon as the server lets us."""
        self._waiting.clear()
        self.begin_close(1012, "going_away")

    async def carry(self, carried: Carried) -> None:
        """Until the connection is over: its messages to `carried`, and what is written to it, now or before."""
        self._carried = carried
        self._end_if_slow()
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if self._close is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):  # `wait_for` may swallow a cancellation
                        await asyncio.shield(writer)
        finally:
            self._carried = None
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            carried.lost()

    def _end_if_slow(self) -> None:
        if self._waiting_bytes > self._outbox_bytes and self._carried is not None:
            carried, self._carried = self._carried, None
            carried.refuse("slow_consumer")
            carried.lost()

    async def _read(self) -> None:
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            if self._carried is not None:
                self._take(self._carried, event.get("text"), event.get("bytes"))

    def _take(self, carried: Carried, text: str | None, data: bytes | None) -> None:
        if text is None:
            try:
                text = (data or b"").decode()
            except UnicodeDecodeError:
                carried.refuse("binary_not_supported")
                return
        if len(text.encode()) > self._max_message_bytes:
            carried.refuse("message_too_big")
        else:
            carried.receive(text)

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while self._close is None or self._waiting:
                await self._more.wait()
                self._more.clear()
                while self._waiting:
                    frames = self._waiting.popleft()
                    self._waiting_bytes -= len(frames)
                    for payload in payloads(frames):
                        await self._websocket.send_text(payload.decode())
            await self._websocket.close(*self._close)
