"""V2 over Socket.IO: who may join the namespace `/v2`, and how V2 text becomes an event. It decides nothing itself.

V2 text is any text. One that is JSON becomes an event byte for byte; any other becomes an event with a JSON string.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.handshake.connect import AdmittedClient
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Unavailable
from bridge.handshake.v2 import V2Handshake
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.socketio import packets
from bridge.socketio.connect import handshake_request, open_connection
from bridge.socketio.ports import JoinRequest
from bridge.sockets.framing import Framing
from bridge.tenants.table import TenantTable
from compat.reading import NotJson, read
from legacy_v2 import frames
from legacy_v2.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from legacy_v2.socketio_door import NAMESPACE, SocketIoDoor

__all__ = ["NAMESPACE"]


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

    client: AdmittedClient[Guest]
    request: JoinRequest
    preflight: Preflight
    renderer: V2Renderer

    @property
    def guest(self) -> Guest:
        return self.client.guest

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Join, and be a connection from now on. Raises `Refused`."""
        try:
            await open_connection(self.preflight, self.client, self.request, self.renderer, session, v2_event)
        except Unavailable as unavailable:
            raise Refused(unavailable.code) from None


class V2SocketIoHandshake:
    """The way in to V2."""

    def __init__(self, preflight: Preflight, handshake: V2Handshake, table: TenantTable, counts: Counts) -> None:
        self._preflight = preflight
        self._handshake = handshake
        self._table = table
        self._counts = counts

    async def admit(self, request: JoinRequest, group_id: str | None, client_id: str | None) -> V2Admitted:
        """Whoever may come in. Raises `Refused`."""
        client = await self._handshake.identify(handshake_request(request), group_id, client_id, "socketio")
        renderer = V2Renderer(client.guest.tenant, self._table, self._counts, V2_SOCKETIO)
        return V2Admitted(client, request, self._preflight, renderer)


def door(
    preflight: Preflight, handshake: V2Handshake, table: TenantTable, counts: Counts, ports: Ports
) -> SocketIoDoor[JoinRequest]:
    """The namespace `/v2`."""
    return SocketIoDoor(V2SocketIoHandshake(preflight, handshake, table, counts), ports)
