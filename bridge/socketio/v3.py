"""V3 over Socket.IO: who may join the namespace `/v3`, and how V3 text becomes an event. It decides nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from bridge.handshake.connect import Arrival, Gate, MakeSession
from bridge.handshake.v3 import V3Gate
from bridge.messaging.renderers import V3Voice
from bridge.socketio import packets
from bridge.socketio.connect import NotNow, brought, open_connection
from bridge.socketio.ports import JoinRequest
from bridge.sockets.framing import Framing
from v3.ports import Guest, Rate, Receiver, Refused, Socket
from v3.socketio_door import NAMESPACE


def v3_event(text: bytes) -> bytes:
    """A V3 message as a Socket.IO event; `text` is JSON in UTF-8."""
    return packets.event(NAMESPACE, text)


V3_SOCKETIO: Final = Framing(v3_event, v3_event, packets.SEPARATOR)
_VOICE: Final = V3Voice(V3_SOCKETIO)


@dataclass(frozen=True, slots=True)
class V3Admitted:
    """A client that may join `/v3`."""

    guest: Guest
    request: JoinRequest
    arrival: Arrival
    gate: Gate

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Join, and be a connection from now on. Raises `Refused`."""
        make = cast(MakeSession, session)
        try:
            await open_connection(self.gate, self.request, self.arrival, _VOICE, make, v3_event)
        except NotNow as not_now:
            raise Refused(not_now.code) from None


class V3SocketIoGate:
    """The way in to V3."""

    def __init__(self, gate: Gate, v3_gate: V3Gate) -> None:
        self._gate = gate
        self._v3_gate = v3_gate

    async def admit(self, request: JoinRequest, group_id: str, client_id: str) -> V3Admitted:
        """Whoever may come in. Raises `Refused`."""
        guest, arrival = await self._v3_gate.arrive(brought(request), group_id, client_id, "socketio")
        return V3Admitted(guest, request, arrival, self._gate)
