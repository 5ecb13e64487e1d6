"""Socket.IO 5 of one session as a state machine: which namespaces its client has joined, and what it may say in them.

Pure: the packets of a client come in, decisions go out. It must never admit a client or carry a message by itself.
The protocol: https://socket.io/docs/v4/socket-io-protocol/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.socketio import packets
from bridge.socketio.packets import Broken, Packet
from bridge.sockets.ports import Carried

MOST_CONNECTS: Final = 32
"""So often one session may ask to join a namespace: each time costs as much as a handshake."""
MOST_DEFERRED: Final = 16
"""Packets for a namespace that the client is not yet admitted to; with one more the session is broken."""


@dataclass(frozen=True, slots=True)
class Join:
    """The client asks to join a namespace. `auth`: what it sent along, as strings by name."""

    namespace: str
    auth: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Leave:
    """The client has left a namespace."""

    carried: Carried


@dataclass(frozen=True, slots=True)
class Say:
    """The client says something in a namespace. `number`: of the acknowledgement that it waits for."""

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
        """Whether the client has joined none, and asks for none."""
        return not (self.joined or self._joining)

    def receive(self, text: str) -> Decision | None:
        """What follows from one packet of the client; `None` where nothing does. Raises `Broken`."""
        packet = packets.read(text)
        if packet.kind == "ack":
            return None  # nothing that is said to clients asks for one
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
        """A `Join` was admitted or refused: the packets that came meanwhile, to be received now."""
        return self._joining.pop(namespace)

    def leave_all(self) -> list[Carried]:
        """The session is over: the connections that were in its namespaces."""
        carried = list(self.joined.values())
        self.joined.clear()
        return carried
