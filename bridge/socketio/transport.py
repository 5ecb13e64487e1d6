"""How packets reach one client: by polls, by a websocket, or by a websocket that takes over from polls.

Whatever is written was made ready once for all listeners. A websocket gets it in the same turn of the loop; a poll
finds it in a queue with a bound in bytes. Must never wait for the client, and never read what it says.
"""

import asyncio
from collections.abc import Callable

from bridge.socketio import packets
from bridge.socketio.engine import Engine
from bridge.sockets.framing import text_frame
from bridge.sockets.outbox import Wire


class Transport:
    """The way to one client. `candidate`: a websocket that asks whether it may take over."""

    def __init__(self, engine: Engine, framed: Callable[[bytes], bytes], wire: Wire | None) -> None:
        """`framed` makes packets the frames of a websocket; `wire` is that websocket, where the session begins so."""
        self.candidate: Wire | None = None
        self._engine = engine
        self._frames_of = framed
        self._wire = wire
        self._poll: asyncio.Future[None] | None = None

    def write(self, blob: bytes) -> bool:
        """Ready packets; whether what waits is still within the bound. That of a websocket is the wire's own."""
        if self._wire is not None:
            self._wire.write(self._frames_of(blob))
            return True
        outgoing = self._engine.outgoing
        for packet in blob.split(packets.SEPARATOR):
            outgoing.put(packet)
        self._wake_poll()
        return not outgoing.is_too_full

    async def answer(self) -> bytes:
        """The body that answers a poll, as soon as there is one; `packets.CLOSE` is the last."""
        if not self._engine.has_answer:
            self._poll = asyncio.get_running_loop().create_future()
            await self._poll
        return self._engine.answer()

    def _wake_poll(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def upgrade(self, packet: str, now_seconds: float) -> None:
        """A packet over the candidate. Raises `Broken` where the client may not send it."""
        answer = self._engine.receive_upgrade(packet, now_seconds)
        if self._engine.transport == "websocket":
            self._take_over()
        elif self.candidate is not None:
            self.candidate.write(text_frame(answer))
            self._wake_poll()

    def _take_over(self) -> None:
        """The candidate gets what no poll has taken, and all that follows."""
        self._wire, self.candidate = self.candidate, None
        waiting = self._engine.outgoing.take(len(self._engine.outgoing))
        if waiting and self._wire is not None:
            self._wire.write(b"".join(map(text_frame, waiting)))

    def close(self, code: int, reason: str) -> None:
        """Close each websocket after what was written to it, and answer an open poll."""
        if self.candidate is not None:
            self.candidate.begin_close(code, reason)
        if self._wire is not None:
            self._wire.begin_close(code, reason, text_frame(packets.CLOSE))
        self._wake_poll()

    def abort(self) -> None:
        """Cut each websocket off."""
        for wire in (self._wire, self.candidate):
            if wire is not None:
                wire.abort()
