"""V2 over Socket.IO: admits clients to the namespace `/v2`, and frames V2 texts as events. No rules of its own.

A V2 text may be any text. JSON becomes the argument of an event unchanged; other text becomes a JSON string in it.
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
from bridge.socketio.connect import handshake_request, open_connection, when_to_return
from bridge.socketio.ports import JoinRequest
from bridge.sockets.framing import Framing
from bridge.tenants.table import TenantTable
from compat.reading import NotJson, read
from legacy_v2 import frames
from legacy_v2.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from legacy_v2.socketio_door import NAMESPACE, SocketIoDoor


def v2_event(text: bytes) -> bytes:
    """A V2 frame as a Socket.IO EVENT packet: JSON unchanged, other text as a JSON string."""
    try:
        read(text.decode())
    except NotJson:
        text = frames.write_bytes(text.decode())
    return v2_json_event(text)


def v2_json_event(text: bytes) -> bytes:
    """A V2 frame that is known to be JSON, since the bridge wrote it, as a Socket.IO EVENT packet."""
    return packets.event(NAMESPACE, text)


V2_SOCKETIO: Final = Framing(v2_event, v2_json_event, packets.SEPARATOR)


@dataclass(frozen=True, slots=True)
class V2Admitted:
    """A client that was admitted to `/v2`."""

    client: AdmittedClient[Guest]
    request: JoinRequest
    preflight: Preflight
    renderer: V2Renderer

    @property
    def guest(self) -> Guest:
        return self.client.guest

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, join the namespace, and begin the connection. Raises `Refused`."""
        try:
            await open_connection(self.preflight, self.client, self.request, self.renderer, session, v2_event)
        except Unavailable as unavailable:
            raise Refused(unavailable.code, {"msg": unavailable.sentence, **when_to_return()}) from None


class V2SocketIoHandshake:
    """Admits clients to `/v2`, by the rules of `V2Handshake`."""

    def __init__(self, preflight: Preflight, handshake: V2Handshake, table: TenantTable, counts: Counts) -> None:
        self._preflight = preflight
        self._handshake = handshake
        self._table = table
        self._counts = counts

    async def admit(self, request: JoinRequest, group_id: str | None, client_id: str | None) -> V2Admitted:
        """The client that sent this request; an id is `None` when it sent none. Raises `Refused`."""
        client = await self._handshake.identify(handshake_request(request), group_id, client_id, "socketio")
        renderer = V2Renderer(client.guest.tenant, self._table, self._counts, V2_SOCKETIO)
        return V2Admitted(client, request, self._preflight, renderer)


def v2_door(
    preflight: Preflight, handshake: V2Handshake, table: TenantTable, counts: Counts, ports: Ports
) -> SocketIoDoor[JoinRequest]:
    """The door of the namespace `/v2`."""
    return SocketIoDoor(V2SocketIoHandshake(preflight, handshake, table, counts), ports)
