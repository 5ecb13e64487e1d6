"""State machine of one Engine.IO 4 session: its transport, pings, packets that wait for a poll, and end.

Pure: it takes packets and the time in seconds, and returns what they mean. It must never read a socket, a clock or a
Socket.IO packet. The protocol: https://socket.io/docs/v4/engine-io-protocol/
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from bridge.budget.drain import OutboxBounds
from bridge.socketio import packets
from bridge.socketio.outgoing import Outgoing

PING_INTERVAL_SECONDS: Final = 20
PING_TIMEOUT_SECONDS: Final = 20
FLUSH_SECONDS: Final = 5.0
"""How long the last packets of a session wait for a poll to take them."""
FEW_PACKETS: Final = 16
"""Packets in one response to a poll that every client takes: python-engineio's takes no more."""
RECENT_REQUESTS: Final = 8
"""Requests that are known when they come again: more than are ever under way."""
ANSWER_BYTES: Final = 262_144
"""Bytes of packets in one response to a poll. A single packet may be larger."""

Transport = Literal["polling", "probed", "websocket"]
"""`probed`: a WebSocket has sent its probe to take over, and polls are answered with NOOP until it has done so."""
Received = Literal["message", "binary", "pong", "goodbye"]
Due = Literal["ping", "silence", "unflushed"]


@dataclass(frozen=True, slots=True)
class End:
    """How a session ended: close code and reason of RFC 6455, and the time on the caller's clock, in seconds."""

    code: int
    reason: str
    at_seconds: float

    @property
    def calls_back(self) -> bool:
        """Whether the client should connect again: clients do after a failure, and not after a CLOSE packet."""
        return calls_back(self.code)


def calls_back(code: int) -> bool:
    """Whether a close code means that the client should connect again by itself."""
    return code in (1006, 1012) or code >= 4500


class Engine:
    """One session. `sid` must stay secret: anyone who knows it can send and receive as its client."""

    def __init__(self, sid: str, transport: Transport, bounds: OutboxBounds, now_seconds: float) -> None:
        """`bounds`: how much may wait for polls, and how fast they must take it."""
        self.sid: Final = sid
        self.transport: Transport = transport
        self.outgoing: Final = Outgoing(bounds)
        self.end: End | None = None
        self.is_told = False
        """Whether a poll was told that the session is over."""
        self.requests: Final[deque[str]] = deque(maxlen=RECENT_REQUESTS)
        """The numbers of the last requests that were handled, of those that have one."""
        self._heard_at = now_seconds
        self._ping_at: float | None = now_seconds + PING_INTERVAL_SECONDS

    def opening(self, most_bytes: int) -> bytes:
        """The OPEN packet, which begins a session. `most_bytes`: largest size of one POST and of one frame."""
        told = {
            "sid": self.sid,
            "upgrades": [] if self.transport == "websocket" else ["websocket"],
            "pingTimeout": PING_TIMEOUT_SECONDS * 1_000,
            "pingInterval": PING_INTERVAL_SECONDS * 1_000,
            "maxPayload": most_bytes,
        }
        return b"0" + to_json(told)

    def receive(self, packet: str, now_seconds: float) -> Received:
        """The kind of a client's packet. Raises `Broken` if a client may not send it."""
        if not packets.may_come(packet):
            raise packets.Broken
        self.heard(now_seconds)
        if packet == packets.PONG:
            self._ping_at = self._ping_at or now_seconds + PING_INTERVAL_SECONDS
            return "pong"
        if packet == packets.GOODBYE:
            return "goodbye"
        return "binary" if packet[0] == packets.BINARY else "message"

    def heard(self, now_seconds: float) -> None:
        """The client has given a sign of life: any packet, frame or request."""
        self._heard_at = now_seconds

    def receive_upgrade(self, packet: str, now_seconds: float) -> bytes:
        """Take a packet from a WebSocket that wants to take over, and return the answer to it. Raises `Broken`.

        The first packet is a probe, which also ends the open poll. The second makes the WebSocket the transport.
        """
        expected = packets.PROBE if self.transport == "polling" else packets.UPGRADE
        if packet != expected or self.transport == "websocket":
            raise packets.Broken
        self.heard(now_seconds)
        if self.transport == "polling":
            self.transport = "probed"
            self.outgoing.put(packets.NOOP)
            return packets.PROBED
        self.transport = "websocket"
        return b""

    def give_up_upgrade(self) -> None:
        """The WebSocket that wanted to take over is gone: polls get packets again."""
        if self.transport == "probed":
            self.transport = "polling"

    @property
    def has_answer(self) -> bool:
        """Whether a poll can be answered at once."""
        return self.transport != "polling" or bool(self.outgoing) or self.end is not None

    def answer(self, most_packets: int) -> bytes:
        """The response body for a poll, with as many packets as fit. When all are taken after the end: `last_packet`.

        It is sent alone. npm's client would treat packets in the same body as packets of a later session.
        """
        if self.transport != "polling" and self.end is None:
            return packets.NOOP
        taken = self.outgoing.take(most_packets, ANSWER_BYTES)
        self.is_told = not taken
        return packets.SEPARATOR.join(taken) if taken else self.last_packet

    @property
    def last_packet(self) -> bytes:
        """The packet that tells the client of the end; empty if it should connect again."""
        return b"" if self.end is not None and self.end.calls_back else packets.CLOSE

    def close(self, code: int, reason: str, now_seconds: float) -> bool:
        """End the session; returns false if it has ended before."""
        if self.end is not None:
            return False
        self.end = End(code, reason, now_seconds)
        return True

    def due(self, now_seconds: float) -> Due | None:
        """What must be done at this time, if anything. A ping is due once, until the client has answered it.

        `silence`: the client has sent nothing for too long. `unflushed`: no poll has taken the last packets in time.
        """
        if self.end is not None:
            return "unflushed" if now_seconds - self.end.at_seconds > FLUSH_SECONDS else None
        if now_seconds - self._heard_at > PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS:
            return "silence"
        if self._ping_at is None or now_seconds < self._ping_at:
            return None
        self._ping_at = None
        return "ping"
