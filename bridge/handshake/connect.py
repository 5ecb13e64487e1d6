"""The last step of a handshake: makes the connection of an admitted client. It knows neither V2 nor V3.

Before this step no resources are held for a client. A connection's resources are released when it is over, however it
ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place
from bridge.budget.budget import Budget
from bridge.budget.shares import Owner
from bridge.handshake.authentication import Identity
from bridge.handshake.preflight import Denied
from bridge.handshake.subscriptions import Subscriptions, Unavailable
from bridge.handshake.tokens import LEEWAY_SECONDS
from bridge.messaging.connections import Connection, ConnectionInfo, Connections, Session
from bridge.messaging.hub import Listener, Renderer
from bridge.messaging.meter import Meter
from bridge.records.rows import Visitor
from bridge.sockets.outbox import Outbox
from bridge.sockets.ports import wire_of
from bridge.sockets.service_unavailable import service_unavailable

Guest = TypeVar("Guest", covariant=True)
"""The type that V2 or V3 has for an admitted client."""
NewSession = Callable[[Outbox, Meter], Session]


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What the handshake found out about a client.

    `place` has V3 names; `path_ids` are the group id and the client id as sent in the URL path, `None` where they were
    left out. `address`: the client's IP address, used for shares, budgets, and the record of refused clients.
    """

    identity: Identity
    address: str
    place: Place
    path_ids: tuple[str | None, str | None]
    visitor: Visitor
    user_agent: str

    @property
    def owner(self) -> Owner:
        """The tenant, key and address whose share of this process the connection uses."""
        return Owner(self.place.tenant, self.identity.key_name, self.address)


class Connector:
    """Makes the connections of one process."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        connections: Connections,
        addresses: Addresses,
        budget: Budget,
        new_meter: Callable[[], Meter],
    ) -> None:
        """`new_meter` makes the meter of each new connection."""
        self._subscriptions = subscriptions
        self._connections = connections
        self._addresses = addresses
        self._budget = budget
        self.new_meter = new_meter

    async def connect(self, client: ClientInfo, outbox: Outbox, renderer: Renderer, session: NewSession) -> Connection:
        """Subscribe, and return a connection that has not begun. Raises `Unavailable`.

        Its resources are released when its future `over` is done. A caller that does not begin the connection must
        call `lost` on it.
        """
        channels = await self._subscriptions.take(client.owner, client.place, client.visitor.language)
        give_back = partial(self._subscriptions.give_back, client.owner, client.place, channels)
        withdraw = partial(self._subscriptions.withdraw, client.place, channels)
        try:
            connection = self._connection(client, channels, outbox, renderer, session)
            connection.withdraw = withdraw
        except BaseException:
            give_back()
            raise
        connection.over.add_done_callback(lambda _over: give_back())
        return connection

    def _connection(
        self, client: ClientInfo, channels: list[bytes], outbox: Outbox, renderer: Renderer, session: NewSession
    ) -> Connection:
        place, visitor = client.place, client.visitor
        now_seconds = self._connections.epoch_seconds()
        wide_channel = self._addresses.everyone_on_v2(place.tenant) if visitor.language == "v2" else None
        listener = Listener(renderer, outbox.write, channels, wide_channel, place.group, place.client)
        expires_at = _expiry(client.identity, now_seconds)
        told = client.user_agent, expires_at, client.address, client.identity.ticket
        info = ConnectionInfo(place, client.path_ids, visitor, now_seconds, *told)
        holder = self._budget.key(place.tenant, client.identity.key_name)
        return Connection(info, session(outbox, self.new_meter()), outbox, listener, self._connections, holder)


def _expiry(identity: Identity, now_seconds: float) -> float | None:
    """When the connection ends, in seconds since the epoch: when its token expires.

    A token that has expired already was admitted within the leeway: its connection lasts until the leeway ends.
    """
    if identity.expires_at is None or identity.expires_at > now_seconds:
        return identity.expires_at
    return identity.expires_at + LEEWAY_SECONDS


@dataclass(frozen=True, slots=True)
class AdmittedClient(Generic[Guest]):
    """A client that was admitted, over any transport (WebSocket or Socket.IO)."""

    guest: Guest
    info: ClientInfo
    connector: Connector

    async def open(self, outbox: Outbox, renderer: Renderer, session: NewSession) -> Connection:
        """The client's connection, made by `Connector.connect`. Raises `Unavailable`."""
        return await self.connector.connect(self.info, outbox, renderer, session)


@dataclass(frozen=True, slots=True)
class AdmittedWebSocket(Generic[Guest]):
    """An admitted client whose WebSocket handshake is not answered yet.

    `headers` and `subprotocol` are sent with the 101 response.
    """

    client: AdmittedClient[Guest]
    websocket: WebSocket
    renderer: Renderer
    headers: Mapping[str, str]
    subprotocol: str | None = None

    @property
    def guest(self) -> Guest:
        return self.client.guest

    async def serve(self, session: NewSession) -> None:
        """Subscribe, accept the handshake, and return when the connection is over.

        Raises `Denied` before the handshake is accepted: when the client cannot be served now, or the server is not
        ours.
        """
        wire = wire_of(self.websocket.scope)
        if wire is None:
            raise Denied(_other_server())
        try:
            connection = await self.client.open(Outbox(wire), self.renderer, session)
        except Unavailable as unavailable:
            raise Denied(service_unavailable(unavailable.code, unavailable.sentence)) from None
        try:
            await self._accept()
            connection.begin()  # our server sent the 101 in this same turn of the loop: no frame can have arrived yet
            wire.attach(connection)
            await connection.over
        finally:
            connection.lost()

    async def _accept(self) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await self.websocket.accept(self.subprotocol, headers)


def _other_server() -> Response:
    """The HTTP response 500 for a server that is not ours: it offers no `wire` in the scope."""
    sentence = "This server cannot carry connections: run the application with `aether-bridge serve`."
    return JSONResponse({"code": "unknown_server", "msg": sentence}, 500)
