"""The application: builds the parts, hands each what it needs, mounts the doors, runs them in one lifespan. No rules.

The only file, beside those about crossing and stages, that changes when V2 goes.
"""

import asyncio
import contextlib
import resource
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, cast

import structlog
from fastapi import FastAPI, Request
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from bridge.admission import Admission
from bridge.api import admin, health, messages, page
from bridge.api import presence as presence_api
from bridge.api.authority import Authority, HttpRefusal, answer
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.headcount import Headcount
from bridge.broker.leases import Leases
from bridge.broker.link import pool
from bridge.broker.presence import Place, Presence
from bridge.broker.presence_events import PresenceEvents
from bridge.broker.subscriber import Subscriber
from bridge.broker.tenant_table import TenantTable
from bridge.connections import Connections
from bridge.counts import Counts, Refusals
from bridge.crossing import Crossing
from bridge.gaps import gap_message
from bridge.gate import Gate
from bridge.gates import V2Gate, V3Gate
from bridge.message import FACTOR_OF_MAX_MESSAGE_BYTES
from bridge.metrics import Metrics
from bridge.moves import Moves
from bridge.reception import OriginCheck, Reception
from bridge.settings import Settings
from bridge.sockets.hub import Hub
from legacy_v2 import ports as v2
from legacy_v2 import websocket_door as v2_door
from v3 import ports as v3
from v3 import websocket_door as v3_door
from v3.session import timestamp

RESERVED_FILES: Final = 256
READING_RETRIES: Final = 3
FIRST_LINK_SECONDS: Final = 2.0
LAST_WORDS_SECONDS: Final = 0.5
SCRIPT_TRIPS: Final = 2  # one more where Redis does not know the script yet
SUMMARY: Final = "Aether V2 and V3 clients, talking to each other through Redis."

log = structlog.get_logger(__name__)


class Part(Protocol):
    """What goes on by itself for as long as the process runs."""

    async def run(self) -> None: ...


class WallClock:
    """The time of day."""

    def microseconds(self) -> int:
        return time.time_ns() // 1_000


class PresenceOfBoth:
    """Presence in the words of both languages' ports."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def refresh(self, guest: v3.Guest) -> None:
        self._presence.refresh(Place(guest.tenant, guest.group_id, guest.client_id, "v3"))

    def members(self, guest: v3.Guest, answer: Callable[[Sequence[dict[str, Any]] | None], None]) -> None:
        self._presence.members(guest.tenant, guest.group_id, answer)

    def touch(self, guest: v2.Guest) -> None:
        self._presence.touch(Place(guest.tenant, guest.group_name, guest.client_name, "v2"))


class NamesOfTenants:
    """What a client id means, by the tenant's names as they are now."""

    def __init__(self, table: TenantTable) -> None:
        self._table = table

    def resolve(self, tenant: str, name: str) -> str | None:
        known = self._table.get(tenant)
        return None if known is None else known.names.resolve(name)


class Process:
    """The parts of one running process. Built inside its event loop; `run` owns every task."""

    def __init__(self, settings: Settings, redis_url: str) -> None:
        clock = self.clock = WallClock()
        addresses = Addresses(settings.prefix)
        name = secrets.token_hex(6)
        links = pool(redis_url, f"aether-bridge-{name}")
        self.settings: Final = settings
        self.counts: Final = Counts()
        self.hub: Final = Hub()
        self.redis: Final = Redis.from_url(
            redis_url, protocol=2, socket_timeout=2, retry=Retry(ExponentialBackoff(0.1, 0.01), READING_RETRIES)
        )
        self.bus: Final = Bus(links, addresses.probe)
        self.subscriber: Final = self._new_subscriber(links)
        self.events: Final = PresenceEvents(self.bus, addresses, clock.microseconds, settings.presence_events_members)
        self.presence: Final = Presence(
            self.bus, addresses, name, self.events, clock.microseconds, settings.presence_seconds
        )
        self.addresses: Final = addresses
        self.leases: Final = Leases(self.bus, addresses, name, self.presence)
        self.table: Final = TenantTable(self.redis, addresses, settings.known_tenants())
        self.connections: Final = Connections(
            self.hub, self.subscriber, self.presence, self.counts, time.time, settings.moves_per_second
        )
        self.headcount: Final = Headcount(self.bus, addresses, name, self.connections.open_by_tenant)
        self._follow_changes()
        self.admission: Final = Admission(settings, self.table.get)
        self.crossing: Final = Crossing(self.bus, addresses, self.table, self.counts, self._missed_here)
        most = settings.max_connections or _as_open_files_allow()
        self.reception: Final = Reception(settings, self.bus, self.subscriber, self.connections, most)
        self.gate: Final = Gate(
            self.reception,
            self.admission,
            self.table,
            addresses,
            self.subscriber,
            self.presence,
            self.connections,
        )

    def _new_subscriber(self, links: ConnectionPool) -> Subscriber:
        return Subscriber(
            links,
            self.hub.deliver,
            self._announce_gap,
            lambda: timestamp(self.clock.microseconds()),
            self.settings.max_message_bytes * FACTOR_OF_MAX_MESSAGE_BYTES,
        )

    def _follow_changes(self) -> None:
        moves = Moves(self.connections, self.table.get)
        self.connections.begun = moves.look_at
        self.table.when_changed(moves.apply)

    def _announce_gap(self, silent_seconds: float) -> None:
        now = self.clock.microseconds()
        message = gap_message(timestamp(now - round(silent_seconds * 1_000_000)), timestamp(now))
        self.hub.tell_everyone([message])

    def _missed_here(self, channel: bytes) -> bool:
        """Whether somebody here listens on a channel that Redis may not know of now."""
        return not self.subscriber.is_up and self.hub.has(channel)

    async def run(self) -> None:
        """Everything that goes on by itself. Ends by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            for part in self._parts():
                tasks.create_task(part.run())

    def _parts(self) -> tuple[Part, ...]:
        return self.bus, self.subscriber, self.presence, self.leases, self.table, self.connections, self.headcount

    async def drain(self) -> None:
        """Send everyone away politely, then not; in `drain_seconds` at most."""
        await self.connections.close_all(max(0.0, self.settings.drain_seconds - LAST_WORDS_SECONDS))
        for connection in self.connections:
            connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self._say_last_words()

    async def _say_last_words(self) -> None:
        """LEAVE for everyone, once Redis has told for whom it is due."""
        await self.presence.wait_until_empty()
        for _ in range(SCRIPT_TRIPS):
            await self.bus.wait_until_answered()
        self.events.flush()
        self.leases.end()
        await self.bus.wait_until_answered()


def create_app(settings: Settings, redis_url: str) -> FastAPI:
    """The ASGI application of one process; `redis_url` is settled by the command."""
    app = FastAPI(title="Aether Bridge", summary=SUMMARY, lifespan=_lifespan(settings, redis_url), redoc_url=None)
    app.add_exception_handler(HttpRefusal, _refused)
    app.add_exception_handler(admin.AdminRefusal, _refused_to_admin)
    app.add_exception_handler(RedisError, _redis_away)
    return app


def _lifespan(settings: Settings, redis_url: str) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        process = app.state.process = Process(settings, redis_url)
        _mount(app, process)
        running = asyncio.create_task(process.run())
        running.add_done_callback(_end_with)
        await process.bus.wait_until_up(FIRST_LINK_SECONDS)
        await process.table.look_once()
        try:
            yield
        finally:
            running.remove_done_callback(_end_with)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await process.redis.aclose()

    return lifespan


def _mount(app: FastAPI, process: Process) -> None:
    settings, presence = process.settings, PresenceOfBoth(process.presence)
    authority = Authority(process.admission, process.table, OriginCheck(settings))
    refusals_of_v3, refusals_of_v2 = Refusals(process.counts, "v3"), Refusals(process.counts, "v2")
    v3_ports = v3.Ports(process.crossing, presence, process.clock, NamesOfTenants(process.table), refusals_of_v3)
    v2_ports = v2.Ports(process.crossing, presence, process.clock, refusals_of_v2)
    metrics = Metrics(
        process.counts,
        process.bus,
        process.subscriber,
        process.connections,
        process.presence,
        process.events,
        process.leases,
    )
    app.include_router(v3_door.websocket_door(V3Gate(process.gate, refusals_of_v3), v3_ports))
    app.include_router(
        v2_door.websocket_door(V2Gate(process.gate, process.table, process.counts, refusals_of_v2), v2_ports)
    )
    app.include_router(messages.router(authority, process.crossing, settings, process.clock))
    app.include_router(presence_api.router(authority, process.presence))
    desk = admin.Desk(process.admission, process.table, process.redis, process.addresses)
    app.include_router(admin.router(desk))
    app.include_router(health.router(process.bus, process.subscriber, process.leases, process.connections, metrics))
    _mount_the_rest(app)
    if settings.has_page:
        page.mount(app, process.table)


def _mount_the_rest(app: FastAPI) -> None:
    """What is asked for in the wrong way: a WebSocket path without an upgrade, an upgrade without such a path."""

    async def upgrade_required() -> PlainTextResponse:
        return PlainTextResponse(
            "Connect with a WebSocket client.", 426, {"Upgrade": "websocket", "Connection": "Upgrade"}
        )

    async def unknown(websocket: WebSocket) -> None:
        await websocket.send_denial_response(PlainTextResponse("Not Found", 404))

    for path in (v3_door.PATH, *(prefix + rest for prefix in v2_door.PREFIXES for rest in ("", "/{rest:path}"))):
        app.add_api_route(path, upgrade_required, methods=["GET"], include_in_schema=False)
    app.add_api_websocket_route("/{rest:rest}", unknown)  # the doors' own convertor: Starlette's ends at a line break


async def _refused(_request: Request, refusal: Exception) -> Any:
    return answer(cast(HttpRefusal, refusal))


async def _refused_to_admin(_request: Request, refusal: Exception) -> Any:
    return admin.answer(cast(admin.AdminRefusal, refusal))


async def _redis_away(_request: Request, error: Exception) -> Any:
    return admin.unreachable(cast(RedisError, error))


def _end_with(running: "asyncio.Task[None]") -> None:
    """A part that ended by itself is a bug: end the process, so that whoever watches it starts another."""
    if not running.cancelled() and running.exception() is not None:
        log.critical("process_broken", exc_info=running.exception())
        signal.raise_signal(signal.SIGTERM)


def _as_open_files_allow() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, soft - RESERVED_FILES)
