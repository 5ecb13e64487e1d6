"""The application: builds the parts, hands each what it needs, mounts the doors, runs them in one lifespan. No rules.

The only file, beside those about crossing and stages, that changes when V2 goes.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import structlog
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from bridge.admin import dashboard, events, routes, service
from bridge.admin import v2 as admin_v2
from bridge.api import client_files, errors, health, messages, playground
from bridge.api import presence as presence_api
from bridge.api.authority import Authority
from bridge.broker.presence import Place, Presence
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.handshake.preflight import Denied, answer_in_http
from bridge.records.counters import Refusals
from bridge.runtime.metrics import Metrics
from bridge.runtime.process import Process
from bridge.runtime.worker_metrics import Siblings
from bridge.sockets.strangers import Strangers
from bridge.tenants.table import TenantTable
from legacy_v2 import ports as v2
from legacy_v2 import websocket_door as v2_door
from v3 import ports as v3
from v3 import websocket_door as v3_door

FIRST_LINK_SECONDS: Final = 2.0
FIRST_LOOKS_SECONDS: Final = 5.0
SUMMARY: Final = "Aether V2 and V3 clients, talking to each other through Redis."

log = structlog.get_logger(__name__)


class PresenceOfBoth:
    """Presence in the words of both languages' ports."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def refresh(self, guest: v3.Guest) -> None:
        self._presence.refresh(Place(guest.tenant, guest.group_id, guest.client_id, cast(Any, guest.protocol)))

    def members(self, guest: v3.Guest, answer: Callable[[bytes | None], None]) -> None:
        self._presence.members(guest.tenant, guest.group_id, answer)

    def touch(self, guest: v2.Guest) -> None:
        self._presence.touch(Place(guest.tenant, guest.group_name, guest.client_name, cast(Any, guest.protocol)))


class NamesOfTenants:
    """What a client id means, by the tenant's names as they are now."""

    def __init__(self, table: TenantTable) -> None:
        self._table = table

    def resolve(self, tenant: str, name: str) -> str | None:
        known = self._table.get(tenant)
        return None if known is None else known.names.resolve(name)


def create_app(settings: Settings, redis_url: str, siblings: Siblings | None = None) -> FastAPI:
    """The ASGI application of one process; `redis_url` and the other workers are settled by the command."""
    lifespan = _lifespan(settings, redis_url, siblings)
    app = FastAPI(title="Aether Bridge", summary=SUMMARY, lifespan=lifespan, redoc_url=None, redirect_slashes=False)
    app.state.budget = Budget(settings.limits)
    errors.handle_errors(app)
    app.add_exception_handler(Denied, answer_in_http)
    return app


def _lifespan(settings: Settings, redis_url: str, siblings: Siblings | None) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        process = app.state.process = Process(settings, redis_url, app.state.budget)
        _mount(app, process, siblings)
        running = asyncio.create_task(process.run())
        running.add_done_callback(_end_with)
        await process.bus.wait_until_up(FIRST_LINK_SECONDS)
        await process.table.look_around(FIRST_LOOKS_SECONDS)
        await _ask_in_vain(app)
        try:
            yield
        finally:
            running.remove_done_callback(_end_with)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await process.redis.aclose()

    return lifespan


async def _ask_in_vain(app: FastAPI) -> None:
    """FastAPI makes its routes when they are first asked for, in 30 ms in which nobody else is served.

    So a stranger asks, and is refused, before anybody is here: as an operator, and for what no route serves.
    """
    for path in ("/admin/api/tenants", "/nothing/that/is/served"):
        scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http"}
        scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "headers": [], "root_path": ""}
        await app(scope, _nothing_more, _unheard)


async def _nothing_more() -> dict[str, Any]:
    return {"type": "http.request"}


async def _unheard(_message: Any) -> None: ...


def _mount(app: FastAPI, process: Process, siblings: Siblings | None) -> None:
    _mount_doors(app, process)
    _mount_http(app, process, siblings)
    _mount_the_rest(app)
    if process.settings.has_page:
        playground.mount(app, process.table)


def _mount_doors(app: FastAPI, process: Process) -> None:
    presence = PresenceOfBoth(process.presence)
    refusals_of_v3, refusals_of_v2 = Refusals(process.counts, "v3"), Refusals(process.counts, "v2")
    v3_ports = v3.Ports(process.publisher, presence, process.clock, NamesOfTenants(process.table), refusals_of_v3)
    v2_ports = v2.Ports(process.v2_publisher, presence, process.clock, refusals_of_v2)
    app.include_router(v3_door.websocket_door(process.v3_handshake, v3_ports))
    app.include_router(v2_door.websocket_door(process.v2_handshake, v2_ports))
    if process.settings.socketio:
        _mount_socketio(app, process, v3_ports, v2_ports)


def _mount_socketio(app: FastAPI, process: Process, v3_ports: v3.Ports, v2_ports: v2.Ports) -> None:
    from bridge.socketio import v2 as v2_namespace  # noqa: PLC0415 - whoever does not serve it need not have it
    from bridge.socketio import v3 as v3_namespace  # noqa: PLC0415
    from bridge.socketio.mount import mount  # noqa: PLC0415
    from bridge.socketio.ports import Door  # noqa: PLC0415

    preflight = process.preflight
    doors: dict[str, Door] = {
        v3_namespace.NAMESPACE: v3_namespace.door(preflight, process.v3_handshake, v3_ports),
        v2_namespace.NAMESPACE: v2_namespace.door(
            preflight, process.v2_handshake, process.table, process.counts, v2_ports
        ),
    }
    sessions = mount(app, process.settings, preflight, doors)
    process.added.parts.append(sessions)
    process.added.ends.append(sessions.end_all)
    process.added.counted.update(sessions.counted())


def _mount_http(app: FastAPI, process: Process, siblings: Siblings | None) -> None:
    settings = process.settings
    authority = Authority(process.authentication, process.table, process.preflight.origins, process.budget)
    app.include_router(messages.router(authority, process.publisher, settings, process.clock))
    app.include_router(presence_api.router(authority, process.presence))
    tenants = service.TenantService(
        process.authentication,
        process.table,
        process.redis,
        process.addresses,
        process.reports,
        lambda: process.bus.is_linked,
    )
    app.include_router(admin_v2.router(admin_v2.TenantChanges(tenants, process.cutover)))
    app.include_router(routes.router(tenants))
    app.include_router(events.router(tenants, lambda: process.connections.is_closing))
    dashboard.mount(app)
    client_files.mount(app)
    exposition = _exposition(process, siblings, getattr(app.state, "strangers", None))
    app.include_router(health.router(process.bus, process.subscriber, process.leases, process.connections, exposition))


def _exposition(
    process: Process, siblings: Siblings | None, strangers: Strangers | None
) -> Callable[[], Awaitable[bytes]]:
    """The numbers of this process, or of all workers of the command."""
    metrics = Metrics(process, strangers)
    if siblings is not None:
        siblings.say(metrics.exposition)
        process.added.parts.append(siblings)
        return siblings.everyone

    async def own() -> bytes:
        return metrics.exposition()

    return own


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


def _end_with(running: "asyncio.Task[None]") -> None:
    """A part that ended by itself is a bug: end the process, so that whoever watches it starts another."""
    if not running.cancelled() and running.exception() is not None:
        log.critical("process_broken", exc_info=running.exception())
        signal.raise_signal(signal.SIGTERM)
