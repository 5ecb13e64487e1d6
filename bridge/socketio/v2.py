"""V2 over Socket.IO: who may join the namespace `/v2`, and how V2 text becomes an event. It decides nothing itself.

V2 text is any text. One that is JSON becomes an event byte for byte; any other becomes an event with a JSON string.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from bridge.handshake.connect import Arrival, Gate, MakeSession
from bridge.handshake.v3 import V2Gate
from bridge.messaging.renderers import V2Voice
from bridge.records.counters import Counts
from bridge.socketio import packets
from bridge.socketio.connect import NotNow, brought, open_connection
from bridge.socketio.ports import JoinRequest
from bridge.sockets.framing import Framing
from bridge.tenants.table import TenantTable
from compat.reading import NotJson, read
from legacy_v2 import frames
from legacy_v2.ports import Guest, Rate, Receiver, Refused, Socket
from legacy_v2.socketio_door import NAMESPACE


def v2_event(text: bytes) -> bytes:
    """A V2 frame as a Socket.IO event: JSON as it stands, other text as a string."""
    try:
        read(text.decode())
    except NotJson:
        text = frames.write(text.decode()).encode()
    return v2_json_event(text)


def v2_json_event(text: bytes) -> bytes:
    """What the bridge itself put into V2 words, as a Socket.IO event."""
    return packets.event(NAMESPACE, text)


V2_SOCKETIO: Final = Framing(v2_event, v2_json_event, packets.SEPARATOR)


@dataclass(frozen=True, slots=True)
class V2Admitted:
    """A client that may join `/v2`."""

    guest: Guest
    request: JoinRequest
    arrival: Arrival
    gate: Gate
    voice: V2Voice

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Join, and be a connection from now on. Raises `Refused`."""
        make = cast(MakeSession, session)
        try:
            await open_connection(self.gate, self.request, self.arrival, self.voice, make, v2_event)
        except NotNow as not_now:
            raise Refused(not_now.code) from None


class V2SocketIoGate:
    """The way in to V2."""

    def __init__(self, gate: Gate, v2_gate: V2Gate, table: TenantTable, counts: Counts) -> None:
        self._gate = gate
        self._v2_gate = v2_gate
        self._table = table
        self._counts = counts

    async def admit(self, request: JoinRequest, group_id: str | None, client_id: str | None) -> V2Admitted:
        """Whoever may come in. Raises `Refused`."""
        guest, arrival = await self._v2_gate.arrive(brought(request), group_id, client_id, "socketio")
        voice = V2Voice(guest.tenant, self._table, self._counts, V2_SOCKETIO)
        return V2Admitted(guest, request, arrival, self._gate, voice)
