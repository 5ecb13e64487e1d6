"""V3 over Socket.IO: admits clients to the namespace `/v3`, and frames V3 texts as events. No rules of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.handshake.connect import AdmittedClient
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Unavailable
from bridge.handshake.v3 import V3Handshake
from bridge.messaging.renderers import V3Renderer
from bridge.socketio import packets
from bridge.socketio.connect import handshake_request, open_connection, when_to_return
from bridge.socketio.ports import JoinRequest
from bridge.sockets.framing import Framing
from v3.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from v3.socketio_door import NAMESPACE, SocketIoDoor


def v3_event(text: bytes) -> bytes:
    """A V3 message as a Socket.IO EVENT packet; `text` is JSON in UTF-8."""
    return packets.event(NAMESPACE, text)


V3_SOCKETIO: Final = Framing(v3_event, v3_event, packets.SEPARATOR)
_RENDERER: Final = V3Renderer(V3_SOCKETIO)


@dataclass(frozen=True, slots=True)
class V3Admitted:
    """A client that was admitted to `/v3`."""

    client: AdmittedClient[Guest]
    request: JoinRequest
    preflight: Preflight

    @property
    def guest(self) -> Guest:
        return self.client.guest

    async def open(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        """Subscribe, join the namespace, and begin the connection. Raises `Refused`."""
        try:
            await open_connection(self.preflight, self.client, self.request, _RENDERER, session, v3_event)
        except Unavailable as unavailable:
            raise Refused(unavailable.code, sentence=unavailable.sentence, told=when_to_return()) from None


class V3SocketIoHandshake:
    """Admits clients to `/v3`, by the rules of `V3Handshake`."""

    def __init__(self, preflight: Preflight, handshake: V3Handshake) -> None:
        self._preflight = preflight
        self._handshake = handshake

    async def admit(self, request: JoinRequest, group_id: str, client_id: str) -> V3Admitted:
        """The client that sent this request. Raises `Refused`."""
        client = await self._handshake.identify(handshake_request(request), group_id, client_id, "socketio")
        return V3Admitted(client, request, self._preflight)


def v3_door(preflight: Preflight, handshake: V3Handshake, ports: Ports) -> SocketIoDoor[JoinRequest]:
    """The door of the namespace `/v3`."""
    return SocketIoDoor(V3SocketIoHandshake(preflight, handshake), ports)
