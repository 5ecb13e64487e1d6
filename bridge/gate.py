"""The way in, for both languages: who may knock, who that is, and how a socket becomes a connection.

What a browser must be able to read (credentials, tenant, stage, ids) is refused by the doors, after accepting; what no
client of ours causes (a foreign origin, overload, no Redis) is answered here in HTTP, before.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.admission import LEEWAY_SECONDS, Admission, Identity, NotAdmitted
from bridge.broker.addresses import Addresses
from bridge.broker.presence import Place, Presence
from bridge.broker.subscriber import Subscriber
from bridge.broker.tenant_table import TenantTable
from bridge.connections import Connection, Connections, Facts, Session
from bridge.migration.rows import LONGEST_USER_AGENT, Visitor
from bridge.rate import Bucket, Pace
from bridge.reception import Reception, deny, later
from bridge.routes import Language, listens_on
from bridge.settings import Settings
from bridge.sockets.asgi_wire import AsgiWire
from bridge.sockets.ends import ASGI_EXTENSION
from bridge.sockets.hub import Listener, Voice
from bridge.sockets.outbox import Outbox
from bridge.tenants import GENERATED_ID_PREFIX, Tenant

SUBSCRIPTION_SECONDS: Final = 3.0
MAX_QUERY_FIELDS: Final = 64


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who knocks, settled. The place is in V3 names, the ids as they stood in the path."""

    identity: Identity
    place: Place
    path_ids: tuple[str | None, str | None]
    visitor: Visitor


class Meter:
    """One connection's rate, with the loop's clock."""

    def __init__(self, settings: Settings) -> None:
        self._now = asyncio.get_running_loop().time
        self._bucket = Bucket(settings.messages_per_second, settings.burst, self._now())

    def spend(self) -> Pace:
        return self._bucket.spend(self._now())


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
        self._subscriber = subscriber

    async def identify(self, websocket: WebSocket) -> Identity:
        """Who sent these credentials. Raises `NotAdmitted`."""
        return await self.admission.identify(query_of(websocket))

    def tenant(self, name: str) -> Tenant:
        """The tenant of an identity, which admission found to be known."""
        return self.table.get(name) or Tenant(name)

    def turned_away(self, tenant: Tenant) -> None:
        """A handshake is refused because of the tenant's stage."""
        self.connections.counts.turned_away[tenant.name] += 1

    def check_subject(self, identity: Identity, client_id: str, client_name: str) -> None:
        """Where a client claim is configured, the path must name that client. Raises `NotAdmitted`."""
        if identity.must_be_subject and (identity.subject is None or identity.subject not in (client_id, client_name)):
            raise NotAdmitted("forbidden")

    async def serve(
        self,
        websocket: WebSocket,
        arrival: Arrival,
        voice: Voice,
        passes_over: bytes | None,
        session: Callable[[Outbox, Meter], Session],
        headers: Mapping[str, str],
    ) -> None:
        """Subscribe, accept, and stay until the connection ends. Raises `Turned` before it accepts."""
        place = arrival.place
        language: Language = "v3" if passes_over is None else "v2"
        channels = listens_on(language, place.tenant, place.group, place.client, self.addresses)
        self.reception.arriving += 1
        entered = False
        try:
            async with asyncio.timeout(SUBSCRIPTION_SECONDS):
                await self._subscriber.hold(channels)
                entered = True
                await self._enter(place)
        except TimeoutError:
            self._give_back(channels, place if entered else None)
            await deny(websocket, later("bus_down", "Redis did not answer in time; connect again in a moment."))
        except BaseException:
            self._give_back(channels, place if entered else None)
            raise
        finally:
            self.reception.arriving -= 1
        try:
            with contextlib.suppress(WebSocketDisconnect):
                await websocket.accept(headers=[(name.encode(), value.encode()) for name, value in headers.items()])
                await self._carry(websocket, arrival, voice, passes_over, channels, session)
        finally:
            self._give_back(channels, place)

    def _give_back(self, channels: list[bytes], place: Place | None) -> None:
        self._subscriber.release(channels)
        if place is not None:
            self.presence.leave(place)

    async def _enter(self, place: Place) -> None:
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.presence.enter(place, lambda: None if entered.done() else entered.set_result(None))
        await entered

    async def _carry(
        self,
        websocket: WebSocket,
        arrival: Arrival,
        voice: Voice,
        passes_over: bytes | None,
        channels: list[bytes],
        session: Callable[[Outbox, Meter], Session],
    ) -> None:
        wire: Any = websocket.scope.get("extensions", {}).get(ASGI_EXTENSION)
        slow = None
        if wire is None:
            wire = slow = AsgiWire(websocket, self.settings.outbox_bytes, self.settings.max_message_bytes)
        outbox = Outbox(wire)
        listener = Listener(voice, outbox.write, channels, passes_over, arrival.place.group, arrival.place.client)
        expires_at = _expiry(arrival.identity, self.connections.epoch_seconds())
        facts = Facts(arrival.place, arrival.path_ids, arrival.visitor, user_agent_of(websocket), expires_at)
        connection = Connection(facts, session(outbox, Meter(self.settings)), outbox, listener, self.connections)
        connection.begin()
        if slow is not None:
            await slow.carry(connection)
            return
        wire.attach(connection)
        await connection.over


def query_of(websocket: WebSocket) -> list[tuple[str, str]]:
    """The query's fields, each as often as it was sent. Too many count as bad credentials."""
    query = websocket.scope.get("query_string", b"").decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise NotAdmitted("unauthenticated") from None


def user_agent_of(websocket: WebSocket) -> str:
    """What the client's program calls itself, in so many characters as are kept."""
    return websocket.headers.get("user-agent", "")[:LONGEST_USER_AGENT]


def _expiry(identity: Identity, now: float) -> float | None:
    """When the connection ends with its token; one admitted within the leeway gets the rest of it."""
    if identity.expires_at is None or identity.expires_at > now:
        return identity.expires_at
    return identity.expires_at + LEEWAY_SECONDS


def generated_id() -> str:
    """A client id for a V2 client that gave none."""
    return f"{GENERATED_ID_PREFIX}{secrets.token_urlsafe(12)}"
