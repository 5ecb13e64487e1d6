"""Engine.IO 4 of one session as a state machine: its transport, its pings, what waits for a poll, and its end.

Pure: packets come in, what they mean goes out, and the seconds of a clock come with each call. It must never read
a socket, a clock or a Socket.IO packet. The protocol: https://socket.io/docs/v4/engine-io-protocol/
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from bridge.socketio import packets
from bridge.socketio.outgoing import Outgoing

PING_INTERVAL_SECONDS: Final = 20
PING_TIMEOUT_SECONDS: Final = 20
FLUSH_SECONDS: Final = 5.0
"""So long the last packets of a session wait for the poll that takes them."""
MOST_PACKETS: Final = 16
"""Of one POST, and of one answer to a poll: some clients take no more."""

Transport = Literal["polling", "probed", "websocket"]
"""`probed`: a websocket has asked whether it may take over, and polls are answered with nothing until it does."""
Received = Literal["message", "pong", "goodbye"]
Due = Literal["ping", "silence", "unflushed"]


@dataclass(frozen=True, slots=True)
class End:
    """How a session ended: the close code and reason of RFC 6455, and the clock's seconds."""

    code: int
    reason: str
    at_seconds: float


class Engine:
    """One session. Its `sid` is its client's secret: whoever knows it may speak and hear as that client."""

    def __init__(self, sid: str, transport: Transport, outbox_bytes: int, now_seconds: float) -> None:
        self.sid: Final = sid
        self.transport: Transport = transport
        self.outgoing: Final = Outgoing(outbox_bytes)
        self.end: End | None = None
        self._heard_at = now_seconds
        self._ping_at: float | None = now_seconds + PING_INTERVAL_SECONDS

    def opening(self, most_bytes: int) -> bytes:
        """The packet with which a session begins. `most_bytes`: of one POST, and of one frame."""
        told = {
            "sid": self.sid,
            "upgrades": [] if self.transport == "websocket" else ["websocket"],
            "pingTimeout": PING_TIMEOUT_SECONDS * 1_000,
            "pingInterval": PING_INTERVAL_SECONDS * 1_000,
            "maxPayload": most_bytes,
        }
        return b"0" + to_json(told)

    def receive(self, packet: str, now_seconds: float) -> Received:
        """What a packet of the client is. Raises `Broken` where a client may not send it."""
        if not packets.may_come(packet):
            raise packets.Broken
        self._heard_at = now_seconds
        if packet == packets.PONG:
            self._ping_at = self._ping_at or now_seconds + PING_INTERVAL_SECONDS
            return "pong"
        return "goodbye" if packet == packets.GOODBYE else "message"

    def receive_upgrade(self, packet: str, now_seconds: float) -> bytes:
        """A packet over a websocket that wants to take over: what to answer there. Raises `Broken`.

        The first is a probe, which also ends the open poll; the second makes the websocket the transport.
        """
        expected = packets.PROBE if self.transport == "polling" else packets.UPGRADE
        if packet != expected or self.transport == "websocket":
            raise packets.Broken
        self._heard_at = now_seconds
        if self.transport == "polling":
            self.transport = "probed"
            self.outgoing.put(packets.NOOP)
            return packets.PROBED
        self.transport = "websocket"
        return b""

    def give_up_upgrade(self) -> None:
        """The websocket that wanted to take over is gone: polls are answered again."""
        if self.transport == "probed":
            self.transport = "polling"

    @property
    def has_answer(self) -> bool:
        """Whether a poll is answered at once."""
        return self.transport != "polling" or bool(self.outgoing) or self.end is not None

    def answer(self) -> bytes:
        """The body that answers a poll; `CLOSE` once all was said.

        `CLOSE` comes alone: with it in one body, npm's client would take the last packets for those of a later session.
        """
        if self.transport != "polling" and self.end is None:
            return packets.NOOP
        taken = self.outgoing.take(MOST_PACKETS)
        return packets.SEPARATOR.join(taken) if taken else packets.CLOSE

    def close(self, code: int, reason: str, now_seconds: float) -> bool:
        """End the session; false where it has ended before."""
        if self.end is not None:
            return False
        self.end = End(code, reason, now_seconds)
        return True

    def due(self, now_seconds: float) -> Due | None:
        """What the clock alone decides. A ping is due once, until the client has answered it."""
        if self.end is not None:
            return "unflushed" if now_seconds - self.end.at_seconds > FLUSH_SECONDS else None
        if now_seconds - self._heard_at > PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS:
            return "silence"
        if self._ping_at is None or now_seconds < self._ping_at:
            return None
        self._ping_at = None
        return "ping"
