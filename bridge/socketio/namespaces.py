"""State machine of Socket.IO 5 for one session: the namespaces its client is connected to, and the packets it may send.

Pure: it takes packets of a client and returns decisions. It must never admit a client or pass on a message by itself.
To join a namespace is to connect to it with a CONNECT packet. The protocol:
https://socket.io/docs/v4/socket-io-protocol/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.socketio import packets
from bridge.socketio.packets import Broken, Packet
from bridge.sockets.ports import Carried

MOST_CONNECTS: Final = 32
"""CONNECT packets of one session; one more ends it. Each costs as much as a handshake."""
MOST_DEFERRED: Final = 16
"""Packets that may wait until the client is admitted to their namespace; one more ends the session."""


@dataclass(frozen=True, slots=True)
class Join:
    """The client asks to join a namespace. `auth`: the fields of its CONNECT packet, name -> string."""

    namespace: str
    auth: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Leave:
    """The client has left a namespace."""

    carried: Carried


@dataclass(frozen=True, slots=True)
class Say:
    """The client sends a message in a namespace. `number`: id of the acknowledgement that it waits for, if any."""

    namespace: str
    carried: Carried
    text: str
    number: int | None


Decision = Join | Leave | Say


class Namespaces:
    """The namespaces of one session."""

    def __init__(self) -> None:
        self.joined: Final[dict[str, Carried]] = {}
        self._joining: Final[dict[str, list[str]]] = {}
        self._connects = 0

    @property
    def is_empty(self) -> bool:
        """Whether the client is in no namespace, and no request to join one is under way."""
        return not (self.joined or self._joining)

    def receive(self, text: str) -> Decision | None:
        """The decision that follows from one packet of the client, or `None`. Raises `Broken`."""
        packet = packets.read(text)
        if packet.kind == "ack":
            return None  # the server never asks for an acknowledgement, so there is nothing to do
        if packet.kind == "connect":
            return self._connect(packet)
        if packet.namespace in self._joining:
            self._defer(packet.namespace, text)
            return None
        if packet.namespace not in self.joined:
            raise Broken
        if packet.kind == "disconnect":
            return Leave(self.joined.pop(packet.namespace))
        return Say(packet.namespace, self.joined[packet.namespace], packets.frame_of(packet), packet.number)

    def _connect(self, packet: Packet) -> Join:
        name, auth = packet.namespace, packets.auth_of(packet)
        self._connects += 1
        if name in self.joined or name in self._joining or self._connects > MOST_CONNECTS:
            raise Broken
        self._joining[name] = []
        return Join(name, auth)

    def _defer(self, namespace: str, text: str) -> None:
        deferred = self._joining[namespace]
        if len(deferred) >= MOST_DEFERRED:
            raise Broken
        deferred.append(text)

    def settle(self, namespace: str) -> list[str]:
        """A `Join` was admitted or refused: returns the packets that arrived meanwhile, to be received now."""
        return self._joining.pop(namespace)

    def leave_all(self) -> list[Carried]:
        """Leave all namespaces, since the session is over; returns the connections in them."""
        carried = list(self.joined.values())
        self.joined.clear()
        return carried
