"""The way in, for both languages: who may knock, who that is, and how a socket becomes a connection.

What a browser must be able to read (credentials, tenant, stage, ids) is refused by the doors, after accepting; what no
client of ours causes (a foreign origin, overload, no Redis) is answered here in HTTP, before.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place, Presence
from bridge.broker.subscriber import Subscriber
from bridge.budget.client_address import client_address
from bridge.budget.rate import Bucket, Pace
from bridge.budget.shares import Owner
from bridge.config.settings import Settings
from bridge.handshake.authentication import LEEWAY_SECONDS, Admission, Identity, NotAdmitted, Query
from bridge.handshake.preflight import Reception, deny
from bridge.messaging.connections import Connection, Connections, Facts, Session
from bridge.messaging.hub import Listener, Voice
from bridge.messaging.routing import listens_on
from bridge.records.rows import LONGEST_USER_AGENT, Visitor
from bridge.sockets.asgi_wire import AsgiWire
from bridge.sockets.later import later
from bridge.sockets.outbox import Outbox
from bridge.sockets.ports import ASGI_EXTENSION
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import GENERATED_ID_PREFIX, Tenant

SUBSCRIPTION_SECONDS: Final = 3.0
MAX_QUERY_FIELDS: Final = 64
TOO_MANY_FIELDS: Final = (("api_key", ""), ("api_key", ""))
"""What a query counts as that has more: credentials that could be read two ways."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a handshake brings along. `address`: the one for which it counts."""

    query: Query
    headers: Headers
    address: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who knocks, settled. The place is in V3 names, the ids as they stood in the path; `address` is for counting."""

    identity: Identity
    address: str
    place: Place
    path_ids: tuple[str | None, str | None]
    visitor: Visitor
    user_agent: str


@dataclass(frozen=True, slots=True)
class Hearing:
    """What an arrival hears, from when (seconds since the epoch): before the client can know of it, and tell others."""

    channels: list[bytes]
    since: float


class Meter:
    """One connection's rate, with the loop's clock."""

    def __init__(self, settings: Settings) -> None:
        self._now = asyncio.get_running_loop().time
        self._bucket = Bucket(settings.messages_per_second, settings.burst, self._now())

    def spend(self) -> Pace:
        return self._bucket.spend(self._now())


MakeSession = Callable[[Outbox, Meter], Session]


class Gate:
    """What the two gates share. It speaks neither language."""

    def __init__(
        self,
        reception: Reception,
        admission: Admission,
        table: TenantTable,
        addresses: Addresses,
        subscriber: Subscriber,
        presence: Presence,
        connections: Connections,
    ) -> None:
        self.reception: Final = reception
        self.settings: Final = reception.settings
        self.admission: Final = admission
        self.table: Final = table
        self.addresses: Final = addresses
        self.presence: Final = presence
        self.connections: Final = connections
        self.budget: Final = reception.budget
        self._subscriber = subscriber
        self.when_turned_away: Callable[[str, Visitor], None] = lambda _tenant, _visitor: None
        """Called with the tenant and a V2 client that is refused because of its stage."""

    def brought(self, websocket: WebSocket) -> Brought:
        """What the handshake of a raw WebSocket brings."""
        address = client_address(websocket.scope, self.settings.trusted_proxies)
        return Brought(query_of(websocket), websocket.headers, address)

    async def identify(self, query: Query) -> Identity:
        """Who sent these credentials. Raises `NotAdmitted`."""
        return await self.admission.identify(query)

    def tenant(self, name: str) -> Tenant:
        """The tenant of an identity, which admission found to be known."""
        return self.table.get(name) or Tenant(name)

    def turned_away(self, tenant: Tenant, visitor: Visitor | None = None) -> None:
        """A handshake is refused because of the tenant's stage; the V2 client of which `visitor` is known."""
        self.connections.counts.turned_away[tenant.name] += 1
        if visitor is not None:
            self.when_turned_away(tenant.name, visitor)

    def check_subject(self, identity: Identity, client_id: str, client_name: str) -> None:
        """Where a client claim is configured, the path must name that client. Raises `NotAdmitted`."""
        if not identity.may_be(client_id, client_name):
            raise NotAdmitted("forbidden")

    async def serve(
        self, websocket: WebSocket, arrival: Arrival, voice: Voice, session: MakeSession, headers: Mapping[str, str]
    ) -> None:
        """Subscribe, accept, and stay until the connection ends. Raises `Turned` before it accepts."""
        if not self.has_room_for(arrival):
            await deny(websocket, later("overloaded", "Your tenant, key or address holds its share of this process."))
        try:
            hearing = await self.subscribe(arrival)
        except TimeoutError:
            await deny(websocket, later("bus_down", "Redis did not answer in time; connect again in a moment."))
        try:
            accept = websocket.accept(headers=[(name.encode(), value.encode()) for name, value in headers.items()])
            with contextlib.suppress(WebSocketDisconnect):
                if (wire := websocket.scope.get("extensions", {}).get(ASGI_EXTENSION)) is None:
                    await self._carry_slowly(websocket, accept, arrival, voice, hearing, session)
                else:
                    await accept
                    await self._carry(wire, arrival, voice, hearing, session)
        finally:
            self.give_back(arrival, hearing)

    def has_room_for(self, arrival: Arrival) -> bool:
        """Whether there is a place for one more of whose it is."""
        return self.reception.shares.has_room_for(_owner(arrival))

    async def subscribe(self, arrival: Arrival) -> Hearing:
        """Hear what the arrival must hear, and be present. Raises `TimeoutError`, and holds nothing then.

        Whoever calls this gives it back with `give_back`.
        """
        place = arrival.place
        channels = listens_on(arrival.visitor.language, place.tenant, place.group, place.client, self.addresses)
        self.reception.shares.take(_owner(arrival))
        entered = False
        try:
            async with asyncio.timeout(SUBSCRIPTION_SECONDS):
                await self._subscriber.hold(channels)
                entered = True
                await self._enter(place)
        except BaseException:
            self._subscriber.release(channels)
            if entered:
                self.presence.leave(place)
            self.reception.shares.give_back(_owner(arrival))
            raise
        return Hearing(channels, self.connections.epoch_seconds())

    def give_back(self, arrival: Arrival, hearing: Hearing) -> None:
        """Take back a `subscribe`."""
        self._subscriber.release(hearing.channels)
        self.presence.leave(arrival.place)
        self.reception.shares.give_back(_owner(arrival))

    async def _enter(self, place: Place) -> None:
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.presence.enter(place, lambda: None if entered.done() else entered.set_result(None))
        await entered

    async def _carry(self, wire: Any, arrival: Arrival, voice: Voice, hearing: Hearing, session: MakeSession) -> None:
        """On a server of ours, which has sent the 101 in this turn of the loop: nothing has come meanwhile."""
        connection = self.connect(arrival, Outbox(wire), voice, hearing, session)
        connection.begin()
        wire.attach(connection)
        await connection.over

    async def _carry_slowly(
        self,
        websocket: WebSocket,
        accept: Awaitable[None],
        arrival: Arrival,
        voice: Voice,
        hearing: Hearing,
        session: MakeSession,
    ) -> None:
        """On any other server. What comes while it sends the 101 waits in the wire."""
        wire = AsgiWire(websocket, self.settings.outbox_bytes, self.settings.max_message_bytes)
        connection = self.connect(arrival, Outbox(wire), voice, hearing, session)
        connection.begin()
        try:
            await accept
            await wire.carry(connection)
        finally:
            connection.lost()

    def connect(
        self, arrival: Arrival, outbox: Outbox, voice: Voice, hearing: Hearing, session: MakeSession
    ) -> Connection:
        """A connection that has not begun yet."""
        place, visitor = arrival.place, arrival.visitor
        passes_over = self.addresses.everyone_on_v2(place.tenant) if visitor.language == "v2" else None
        listener = Listener(voice, outbox.write, hearing.channels, passes_over, place.group, place.client)
        expires_at = _expiry(arrival.identity, self.connections.epoch_seconds())
        facts = Facts(place, arrival.path_ids, visitor, hearing.since, arrival.user_agent, expires_at)
        holder = self.budget.key(place.tenant, arrival.identity.key_name)
        meter = Meter(self.settings)
        return Connection(facts, session(outbox, meter), outbox, listener, self.connections, holder)


def _owner(arrival: Arrival) -> Owner:
    return Owner(arrival.place.tenant, arrival.identity.key_name, arrival.address)


def query_of(websocket: WebSocket) -> Query:
    """The query's fields, each as often as it was sent. Too many count as bad credentials."""
    query = websocket.scope.get("query_string", b"").decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return TOO_MANY_FIELDS


def user_agent_of(headers: Headers) -> str:
    """What the client's program calls itself, in so many characters as are kept."""
    return headers.get("user-agent", "")[:LONGEST_USER_AGENT]


def _expiry(identity: Identity, now: float) -> float | None:
    """When the connection ends with its token; one admitted within the leeway gets the rest of it."""
    if identity.expires_at is None or identity.expires_at > now:
        return identity.expires_at
    return identity.expires_at + LEEWAY_SECONDS


def generated_id() -> str:
    """A client id for a V2 client that gave none."""
    return f"{GENERATED_ID_PREFIX}{secrets.token_urlsafe(12)}"
