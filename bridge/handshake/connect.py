"""The last step of a handshake: makes the connection of an admitted client. It knows neither V2 nor V3.

Before this step no resources are held for a client. A connection's resources are released when it is over, however it
ends.

Bounded: of one tenant `MOST_AT_ONCE` clients take this step at the same time; the next waits until one of them is
through, in order of arrival. So where thousands come back at once, each is served quickly when its turn has come, and
none takes so long that it gives up waiting for Redis.
"""

from asyncio import Semaphore
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from bridge.broker.addresses import Addresses, number_in
from bridge.broker.presence import Place
from bridge.budget.budget import Budget
from bridge.budget.shares import Owner
from bridge.continuity.departures import answer_to
from bridge.continuity.part import Continuity, Return
from bridge.continuity.positions import OWN, UNKNOWN
from bridge.handshake.authentication import Identity
from bridge.handshake.preflight import Denied
from bridge.handshake.refusal_record import RefusalRecord
from bridge.handshake.subscriptions import Listening, Subscriptions, Unavailable, Withdrawn
from bridge.messaging.connections import Connection, ConnectionInfo, Connections, Session
from bridge.messaging.hub import Listener, Renderer
from bridge.messaging.meter import Meter
from bridge.records.refused_clients import RefusedClient
from bridge.records.rows import Visitor
from bridge.sockets.outbox import Outbox
from bridge.sockets.ports import when_gone, wire_of
from bridge.sockets.service_unavailable import service_unavailable

Guest = TypeVar("Guest", covariant=True)
"""The type that V2 or V3 has for an admitted client."""
NewSession = Callable[[Outbox, Meter], Session]
MOST_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What the handshake found out about a client.

    `place` has V3 names; `path_ids` are the group id and the client id as sent in the URL path, `None` where they were
    left out. `address`: the client's IP address, used for shares, budgets, and the record of refused clients. `since`:
    up to where a client that comes back has heard everything, in its own words; empty for one that does not.
    """

    identity: Identity
    address: str
    place: Place
    path_ids: tuple[str | None, str | None]
    visitor: Visitor
    user_agent: str
    since: str = ""

    @property
    def leaves_a_cursor(self) -> bool:
        """Whether it is kept up to where the client has heard everything: on V2 it cannot tell when it returns."""
        return self.visitor.language == "v2" and self.visitor.client_id is not None

    @property
    def owner(self) -> Owner:
        """The tenant, key and address whose share of this process the connection uses."""
        return Owner(self.place.tenant, self.identity.key_name, self.address)

    def refused(self, code: str) -> RefusedClient:
        """The client as the records know it, refused with this code."""
        return RefusedClient.of(self.place.tenant, self.visitor, code, self.user_agent, self.address)


class Connector:
    """Makes the connections of one process."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        connections: Connections,
        addresses: Addresses,
        budget: Budget,
        continuity: Continuity,
        record: RefusalRecord,
        new_meter: Callable[[str], Meter],
    ) -> None:
        """`new_meter` makes the meter of each new connection of a tenant."""
        self._subscriptions = subscriptions
        self._connections = connections
        self._addresses = addresses
        self._budget = budget
        self.continuity: Final = continuity
        self._record = record
        self.new_meter = new_meter
        self._turns: Final = WeakValueDictionary[str, Semaphore]()

    async def connect(self, client: ClientInfo, outbox: Outbox, renderer: Renderer, session: NewSession) -> Connection:
        """Subscribe, and return a connection that has not begun. Raises `Unavailable`.

        Its resources are released when it is over. A caller that does not begin the connection must
        call `lost` on it.
        """
        async with self._turns.setdefault(client.place.tenant, Semaphore(MOST_AT_ONCE)):
            if outbox.is_closed:  # who gave up, and perhaps waits again, must not cost those who wait behind it
                raise Unavailable("overloaded", "The client has not waited for its turn.")
            return await self._connect(client, outbox, renderer, session)

    async def _connect(self, client: ClientInfo, outbox: Outbox, renderer: Renderer, session: NewSession) -> Connection:
        departures, place, returning = self.continuity.departures, client.place, None
        expected = departures.ask_whether_expected(place)
        channels = await self._take(client)
        noted = answer_to(expected)  # asked before presence was entered, on the same link, so it is answered
        try:
            returning = await self._return(client, tuple(channels), noted)
            await departures.come_back(place, noted)
            connection = self._connection(client, channels, outbox, renderer, session)
        except BaseException:
            self._give_back(client, channels, returning)
            raise
        connection.passage.over = partial(self._give_back, client, channels, returning)
        if returning is not None:
            connection.passage.first_words = partial(returning.first_words, renderer, place.group)
        connection.passage.leaving = partial(self._leave, client, tuple(channels))
        if client.leaves_a_cursor:
            connection.passage.staying = partial(departures.stay, place)
            connection.passage.staying()
        return connection

    def _give_back(self, client: ClientInfo, channels: list[bytes], returning: Return | None) -> None:
        """Release what a connection has taken."""
        if returning is not None:
            returning.cancel()
        self._subscriptions.give_back(client.owner, client.place, channels)

    async def _take(self, client: ClientInfo) -> list[bytes]:
        try:
            return await self._subscriptions.take(client.owner, client.place, client.visitor.language)
        except Unavailable as unavailable:
            self._record.not_served(client.refused(unavailable.code))
            raise

    async def _return(self, client: ClientInfo, channels: Sequence[bytes], noted: object) -> Return | None:
        """What a client hears first that comes back, or is expected; `None` for any other."""
        if client.since:
            return await self.continuity.resume(client.since, channels, client.visitor.language)
        number = number_in(noted)
        return None if number is None else await self.continuity.welcome(number, channels[OWN])

    def _withdraw(self, client: ClientInfo, one: Listening, is_expected: bool, then: Withdrawn) -> None:  # noqa: FBT001
        """A client is about to be sent away: what it has heard is kept before it can be back."""

        def part(cursor: str | None) -> None:
            if cursor is not None and client.leaves_a_cursor:
                self.continuity.departures.send_away(client.place, cursor)
            then(cursor)

        self._subscriptions.withdraw(one, is_expected, part)

    def _leave(self, client: ClientInfo, channels: Sequence[bytes], connection: Connection) -> None:
        """Keep up to where a client has heard everything, or that it is not known."""
        passage, departures = connection.passage, self.continuity.departures
        if connection.refused_with == "stage_legacy":  # who has to go back to V2 cannot say there where it was
            departures.leave(client.place, UNKNOWN)
        elif not client.leaves_a_cursor:
            return
        elif passage.cursor is None:
            departures.leave(client.place, departures.cursor_at_end(channels) if passage.has_taken_all else UNKNOWN)
        elif passage.has_taken_all:
            departures.has_taken_all(client.place, passage.cursor)

    def _connection(
        self, client: ClientInfo, channels: list[bytes], outbox: Outbox, renderer: Renderer, session: NewSession
    ) -> Connection:
        place, visitor = client.place, client.visitor
        now_seconds = self._connections.epoch_seconds()
        wide_channel = self._addresses.everyone_on_v2(place.tenant) if visitor.language == "v2" else None
        listener = Listener(renderer, outbox.write, channels, wide_channel, place.group, place.client)
        told = client.user_agent, client.identity.ends_at(now_seconds), client.address, client.identity.ticket
        info = ConnectionInfo(place, client.path_ids, visitor, now_seconds, *told)
        holder = self._budget.key(place.tenant, client.identity.key_name)
        new = session(outbox, self.new_meter(place.tenant))
        connection = Connection(info, new, outbox, listener, self._connections, holder)
        deafen = partial(self._connections.hub.leave, listener)
        connection.passage.withdraw = partial(self._withdraw, client, Listening(place, channels, deafen))
        return connection


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
        """Subscribe, accept the handshake, and hand the connection to its socket, which carries it from then on.

        Raises `Denied` before the handshake is accepted: when the client cannot be served now, or the server is not
        ours.
        """
        wire = wire_of(self.websocket.scope)
        if wire is None:
            raise Denied(_other_server())
        outbox = Outbox(wire)
        when_gone(self.websocket.scope, outbox.end)
        try:
            connection = await self.client.open(outbox, self.renderer, session)
        except Unavailable as unavailable:
            raise Denied(service_unavailable(unavailable.code, unavailable.sentence)) from None
        try:
            await self._accept()
            connection.begin()  # our server sent the 101 in this same turn of the loop: no frame can have arrived yet
            wire.attach(connection)
        except BaseException:
            connection.lost()
            raise

    async def _accept(self) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await self.websocket.accept(self.subprotocol, headers)


def _other_server() -> Response:
    """The HTTP response 500 for a server that is not ours: it offers no `wire` in the scope."""
    sentence = "This server cannot carry connections: run the application with `aether-bridge serve`."
    return JSONResponse({"code": "unknown_server", "msg": sentence}, 500)
