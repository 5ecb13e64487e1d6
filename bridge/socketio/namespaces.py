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
    """The client asks to join a namespace. `auth`: the fields of its CONNECT packet, name -> string.

    `None`: what the packet holds is no object, so it names nobody.
    """

    namespace: str
    auth: Mapping[str, str] | None


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


@dataclass(frozen=True, slots=True)
class Refuse:
    """What the client sends is refused with this code of the closed list."""

    carried: Carried
    code: str


Decision = Join | Leave | Say | Refuse


class Namespaces:
    """The namespaces of one session."""

    def __init__(self) -> None:
        self.joined: Final[dict[str, Carried]] = {}
        self._joining: Final[dict[str, list[str]]] = {}
        self._dismissed: Final[dict[str, Carried | None]] = {}
        self._attachments = self._connects = 0

    @property
    def is_empty(self) -> bool:
        """Whether the client is in no namespace, and no request to join one is under way."""
        return not (self.joined or self._joining)

    def receive(self, text: str) -> Decision | None:
        """The decision that follows from one packet of the client, or `None`. Raises `Broken`."""
        packet = packets.read(text)
        self._attachments = packet.attachments
        if packet.kind == "ack":
            return None  # the server never asks for an acknowledgement, so there is nothing to do
        if packet.kind == "connect":
            return self._connect(packet)
        if packet.namespace in self._joining:
            self._defer(packet.namespace, text)
            return None
        if packet.namespace in self._dismissed:
            return self._said_too_late(packet)
        return self._of_joined(packet)

    def _of_joined(self, packet: Packet) -> Decision:
        if packet.namespace not in self.joined:
            raise Broken
        if packet.kind == "disconnect":
            return Leave(self.joined.pop(packet.namespace))
        if packet.attachments or packet.kind.startswith("binary"):
            return Refuse(self.joined[packet.namespace], "binary_not_supported")
        return Say(packet.namespace, self.joined[packet.namespace], packets.frame_of(packet), packet.number)

    def takes_attachment(self) -> bool:
        """Whether the next packet is a binary attachment of an event that was refused; it counts as taken."""
        is_due = self._attachments > 0
        self._attachments -= is_due
        return is_due

    def dismiss(self, namespace: str, *, is_heard_out: bool) -> Carried | None:
        """Remove the client, for a reason of the server; returns the connection, if there was one.

        `is_heard_out`: what it says before it can know is still said (until `hear_no_more`), else it is ignored.
        """
        carried = self.joined.pop(namespace, None)
        if carried is not None:
            self._dismissed[namespace] = carried if is_heard_out else None
        return carried

    def hear_no_more(self, namespace: str, carried: Carried) -> None:
        """From now on ignore what a client says that was dismissed from this namespace."""
        if self._dismissed.get(namespace) is carried:
            self._dismissed[namespace] = None

    def hear_nobody(self) -> None:
        """From now on ignore what a client says that was dismissed from any namespace."""
        self._dismissed.update(dict.fromkeys(self._dismissed))

    @property
    def heard(self) -> list[Carried]:
        """The connections of a client that may say something in them, also those that it was dismissed from."""
        return [*self.joined.values(), *(carried for carried in self._dismissed.values() if carried is not None)]

    @property
    def hears_out(self) -> bool:
        """Whether a client that was dismissed may still say something."""
        return any(carried is not None for carried in self._dismissed.values())

    def _said_too_late(self, packet: Packet) -> Say | None:
        carried = self._dismissed[packet.namespace]
        if carried is None or packet.kind != "event":
            return None
        return Say(packet.namespace, carried, packets.frame_of(packet), packet.number)

    def _connect(self, packet: Packet) -> Join:
        name, auth = packet.namespace, packets.auth_of(packet)
        self._connects += 1
        if name in self.joined or name in self._joining or self._connects > MOST_CONNECTS:
            raise Broken
        self._dismissed.pop(name, None)
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
