"""Sends packets to one client: by long polling, by a WebSocket, or by a WebSocket that takes over from polling.

What is written is framed once for all listeners. A WebSocket gets it in the same turn of the loop; for polls it waits
in a queue with a bound in bytes. It must never wait for the client, and never read the client's packets.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from bridge.budget.outboxes import MUCH_BYTES
from bridge.socketio import packets
from bridge.socketio.engine import Engine
from bridge.socketio.ports import Home
from bridge.sockets.framing import text_frame
from bridge.sockets.outbox import Wire
from bridge.sockets.ports import nothing


class Transport:
    """The transport of one session. `candidate`: a WebSocket that wants to take over from polling."""

    def __init__(self, engine: Engine, home: Home, wire: Wire | None, slow: Callable[[], None]) -> None:
        """`wire`: the session's WebSocket, if it begins with one. `slow` is called when polls take too little."""
        self.candidate: Wire | None = None
        self._engine = engine
        self._frames_of = home.framed
        self._outboxes = home.budget.outboxes
        self._much_bytes = min(MUCH_BYTES, home.outbox_bounds.most_bytes)
        self._slow = slow
        self._is_cut = False
        self._wire = wire
        self._poll: asyncio.Future[None] | None = None

    def write(self, blob: bytes) -> None:
        """Write packets. A WebSocket has a bound of its own; the queue for polls is cut when it exceeds its bound."""
        if self._wire is not None:
            self._wire.write(self._frames_of(blob))
            return
        for packet in blob.split(packets.SEPARATOR):
            self._engine.outgoing.put(packet)
        self._look_at_queue()
        self._wake_poll()

    def _look_at_queue(self) -> None:
        if self._is_cut or self.waiting_bytes() <= self._much_bytes:
            self._outboxes.drain(self)
            return
        self._outboxes.fill(self)
        if self._engine.outgoing.is_above_bound:
            asyncio.get_running_loop().call_soon(self._cut_if_slow)  # not now: others are being written to

    def _cut_if_slow(self) -> None:
        if self.is_slow(monotonic()):
            self.cut()

    def is_slow(self, now_seconds: float) -> bool:
        """Whether polls take too little of what waits."""
        return not self._is_cut and self._engine.outgoing.is_too_slow(now_seconds)

    def waiting_bytes(self) -> int:
        """Bytes that wait for polls."""
        return self._engine.outgoing.bytes

    def cut(self) -> None:
        """Drop what waits for polls, and have the client told that it is a slow consumer; harmless when repeated."""
        self._outboxes.drain(self)
        if not self._is_cut:
            self._is_cut = True
            self._engine.outgoing.clear()
            self._slow()

    async def answer(self, most_packets: int) -> bytes:
        """Wait for packets; returns the response body for a poll. See `Engine.answer`."""
        if not self._engine.has_answer:
            self._poll = asyncio.get_running_loop().create_future()
            await self._poll
        body = self._engine.answer(most_packets)
        self._look_at_queue()
        return body

    def _wake_poll(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def upgrade(self, packet: str, now_seconds: float) -> None:
        """Handle a packet of the candidate. Raises `Broken` if the client may not send it."""
        answer = self._engine.receive_upgrade(packet, now_seconds)
        if self._engine.transport == "websocket":
            self._take_over()
        elif self.candidate is not None:
            self.candidate.write(text_frame(answer))
            self._wake_poll()

    def _take_over(self) -> None:
        """Make the candidate the transport; it gets the packets that no poll has taken, and all later ones."""
        self._wire, self.candidate = self.candidate, None
        waiting = self._engine.outgoing.take_all()
        if waiting and self._wire is not None:
            self._wire.write(b"".join(map(text_frame, waiting)))
        self._outboxes.drain(self)

    def close(self, code: int, reason: str) -> None:
        """Close the WebSockets, after what was written to them, and answer an open poll."""
        if self.candidate is not None:
            self.candidate.begin_close(code, reason)
        if self._wire is not None:
            last = self._engine.last_packet
            self._wire.begin_close(code, reason, text_frame(last) if last else b"")
        self._wake_poll()

    def over(self) -> None:
        """The session is over: it is not told any more when its client is slow. What waits is still there for polls."""
        self._slow = nothing

    def abort(self) -> None:
        """Abort the WebSockets, and drop what waits for polls."""
        self._outboxes.drain(self)
        self._engine.outgoing.clear()
        for wire in (self._wire, self.candidate):
            if wire is not None:
                wire.abort()
