"""Sends packets to one client: by long polling, by a WebSocket, or by a WebSocket that takes over from polling.

What is written is framed once for all listeners. A WebSocket gets it in the same turn of the loop; for polls it waits
in a queue with a bound in bytes. It must never wait for the client, and never read the client's packets.
"""

import asyncio
from collections.abc import Callable

from bridge.socketio import packets
from bridge.socketio.engine import Engine
from bridge.sockets.framing import text_frame
from bridge.sockets.outbox import Wire


class Transport:
    """The transport of one session. `candidate`: a WebSocket that wants to take over from polling."""

    def __init__(self, engine: Engine, framed: Callable[[bytes], bytes], wire: Wire | None) -> None:
        """`framed` makes packets WebSocket frames. `wire`: the session's WebSocket, if it begins with one."""
        self.candidate: Wire | None = None
        self._engine = engine
        self._frames_of = framed
        self._wire = wire
        self._poll: asyncio.Future[None] | None = None

    def write(self, blob: bytes) -> bool:
        """Write packets; returns whether the queue is still within its bound. A WebSocket checks its own bound."""
        if self._wire is not None:
            self._wire.write(self._frames_of(blob))
            return True
        outgoing = self._engine.outgoing
        for packet in blob.split(packets.SEPARATOR):
            outgoing.put(packet)
        self._wake_poll()
        return not outgoing.is_too_full

    async def answer(self) -> bytes:
        """Wait for packets; returns the response body for a poll. The last one is `packets.CLOSE`."""
        if not self._engine.has_answer:
            self._poll = asyncio.get_running_loop().create_future()
            await self._poll
        return self._engine.answer()

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
        waiting = self._engine.outgoing.take(len(self._engine.outgoing))
        if waiting and self._wire is not None:
            self._wire.write(b"".join(map(text_frame, waiting)))

    def close(self, code: int, reason: str) -> None:
        """Close the WebSockets, after what was written to them, and answer an open poll."""
        if self.candidate is not None:
            self.candidate.begin_close(code, reason)
        if self._wire is not None:
            self._wire.begin_close(code, reason, text_frame(packets.CLOSE))
        self._wake_poll()

    def abort(self) -> None:
        """Abort the WebSockets."""
        for wire in (self._wire, self.candidate):
            if wire is not None:
                wire.abort()
