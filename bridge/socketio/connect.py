"""The gates for Socket.IO: the same handshake as at the raw WebSocket, for clients that ask for a namespace.

What is answered in HTTP was answered when the Engine.IO session began; here every refusal is the language's own.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from bridge.handshake.connect import AdmittedClient, NewSession
from bridge.handshake.preflight import Preflight
from bridge.handshake.request import HandshakeRequest
from bridge.handshake.subscriptions import Unavailable
from bridge.handshake.v2 import V2Handshake
from bridge.handshake.v3 import V3Handshake
from bridge.messaging.hub import Renderer
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.socketio import packets
from bridge.socketio.session import Knock
from bridge.sockets.framing import Framing
from bridge.sockets.outbox import Outbox
from bridge.tenants.table import TenantTable
from compat.reading import NotJson, read
from legacy_v2 import frames
from legacy_v2 import ports as v2
from v3 import ports as v3

Guest = TypeVar("Guest")


def v3_event(text: bytes) -> bytes:
    """A V3 message as a Socket.IO event."""
    return packets.event("/v3", text)


def v2_event(text: bytes) -> bytes:
    """A V2 frame as a Socket.IO event: JSON as it stands, other text as a string."""
    try:
        read(text.decode())
    except NotJson:
        text = frames.write(text.decode()).encode()
    return v2_json_event(text)


def v2_json_event(text: bytes) -> bytes:
    """What the bridge itself put into V2 words, as a Socket.IO event."""
    return packets.event("/v2", text)


V3_SOCKETIO: Final = Framing(v3_event, v3_event, packets.SEPARATOR)
V2_SOCKETIO: Final = Framing(v2_event, v2_json_event, packets.SEPARATOR)


class V3SocketIoGate:
    """The way in to V3."""

    def __init__(self, preflight: Preflight, handshake: V3Handshake) -> None:
        self._preflight = preflight
        self._handshake = handshake
        self._renderer = V3Renderer(V3_SOCKETIO)

    async def admit(self, knock: Knock, group_id: str, client_id: str) -> v3.Guest:
        client = await self._handshake.identify(_request_of(knock), group_id, client_id, "socketio")
        return _keep(knock, client)

    async def open(self, knock: Knock, _guest: v3.Guest, session: Callable[[v3.Socket, v3.Rate], v3.Receiver]) -> None:
        try:
            await _open(self._preflight, knock, self._renderer, session, v3_event)
        except Unavailable as unavailable:
            raise v3.Refused(unavailable.code) from None


class V2SocketIoGate:
    """The way in to V2."""

    def __init__(self, preflight: Preflight, handshake: V2Handshake, table: TenantTable, counts: Counts) -> None:
        self._preflight = preflight
        self._handshake = handshake
        self._table = table
        self._counts = counts

    async def admit(self, knock: Knock, group_id: str | None, client_id: str | None) -> v2.Guest:
        client = await self._handshake.identify(_request_of(knock), group_id, client_id, "socketio")
        return _keep(knock, client)

    async def open(self, knock: Knock, guest: v2.Guest, session: Callable[[v2.Socket, v2.Rate], v2.Receiver]) -> None:
        renderer = V2Renderer(guest.tenant, self._table, self._counts, V2_SOCKETIO)
        try:
            await _open(self._preflight, knock, renderer, session, v2_event)
        except Unavailable as unavailable:
            raise v2.Refused(unavailable.code) from None


def _request_of(knock: Knock) -> HandshakeRequest:
    return HandshakeRequest(knock.query, knock.headers, knock.session.address)


def _keep(knock: Knock, client: AdmittedClient[Guest]) -> Guest:
    knock.client = client
    return client.guest


async def _open(
    preflight: Preflight, knock: Knock, renderer: Renderer, session: NewSession, framed: Callable[[bytes], bytes]
) -> None:
    """Subscribe, and be a connection from now on. Raises `Unavailable`."""
    preflight.check_again()
    client: AdmittedClient[Any] = knock.client
    connection = await client.open(Outbox(knock.wire, framed), renderer, session)
    if knock.session.ended_at is not None:  # the client went away meanwhile
        connection.lost()
        return
    knock.session.enter(knock.namespace, connection)
    connection.begin()
