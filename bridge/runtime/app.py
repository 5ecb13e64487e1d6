"""The ASGI application of one process: builds the process, mounts its routes, and runs it as the lifespan. No rules."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.admin import configuration, dashboard, events, keys, routes
from bridge.admin.service import TenantService
from bridge.admin.sign_ins import SignIns
from bridge.api import client_files, docs, health, messages, presence
from bridge.api import events as api_events
from bridge.api.authority import Authority
from bridge.api.document import document, operation_id
from bridge.api.errors import handle_errors
from bridge.budget.budget import Budget
from bridge.budget.client_address import client_address
from bridge.config.reload import Configuration, Reloaded, Source
from bridge.config.settings import Settings
from bridge.handshake.own_name import OwnName
from bridge.runtime import limits, v3
from bridge.runtime.clock import WallClock
from bridge.runtime.doors import Doors
from bridge.runtime.hangup import HANGUP
from bridge.runtime.metrics import Metrics
from bridge.runtime.process import Process
from bridge.runtime.reconfiguration import Reconfiguration
from bridge.runtime.reload import Reload
from bridge.runtime.socketio import mount as mount_socketio  # Socket.IO
from bridge.runtime.worker_metrics import WorkerGroup
from bridge.sockets.part import Sockets
from bridge.system.observers import Observers

SUMMARY: Final = "Aether V2 and V3 clients, talking to each other through Redis."

DESCRIPTION: Final[dict[str, Any]] = {
    "title": "Aether Bridge",
    "summary": SUMMARY,
    "docs_url": None,
    "redoc_url": None,
    "redirect_slashes": False,
    "generate_unique_id_function": operation_id,
}

log = structlog.get_logger(__name__)


class Application(FastAPI):
    """The application that uvicorn serves.

    The process is built later, inside the event loop. Budget and sockets are made here, since the server needs them
    earlier.
    """

    def __init__(
        self, settings: Settings, redis_url: str, worker_group: WorkerGroup | None = None, source: Source | None = None
    ) -> None:
        """`settings` can be read anew from `source`. The command chooses `redis_url`; `worker_group` are its others."""
        super().__init__(**DESCRIPTION, lifespan=_lifespan)
        self.settings = settings
        self.source: Final = source
        self.configured: Final = Observers[[Settings]]()
        """Called with the settings, when they are others than before."""
        self.redis_url: Final = redis_url
        self.worker_group: Final = worker_group
        self.budget: Final = Budget(settings.limits)
        self.sockets: Final = Sockets(limits.strangers(settings))
        self.process: Process | None = None
        self.configured.add(self._take)
        handle_errors(self)
        self.doors: Final = Doors()
        self._at_doors = OwnName(self.doors, self._answers_every_name) if settings.is_open else self.doors
        if settings.is_open:
            self.add_middleware(OwnName, answers_every_name=self._answers_every_name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._at_doors(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def mount_for_all(self, path: str, application: ASGIApp) -> None:
        """Add what answers below a path, over HTTP and for WebSocket handshakes."""
        self.mount(path, application)
        self.doors.add(path, application)

    def _take(self, settings: Settings) -> None:
        self.settings = settings

    def _answers_every_name(self) -> bool:
        """Whether requests are answered whatever their Host is: not where anybody may speak without a key."""
        has_keys = self.process is not None and self.process.handshakes.authentication.has_keys
        return has_keys or self.settings.open_admission

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, which FastAPI serves at `/openapi.json`."""
        return document(self)


@asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    process = app.process = Process(app.settings, app.redis_url, app.budget, app.sockets)
    reload = _reload(app, process)
    _mount(app, process, reload)
    running = asyncio.create_task(process.run())
    running.add_done_callback(_stop_server_if_failed)
    try:
        await process.start()
        await _warm_up_routes(app)
        HANGUP.listen(reload.hang_up)
        yield
    finally:
        HANGUP.listen(None)
        running.remove_done_callback(_stop_server_if_failed)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _warm_up_routes(app: FastAPI) -> None:
    """Make FastAPI build its routes before the first client connects.

    FastAPI does so at the first request, and the event loop is blocked for 30 ms. So two requests without credentials
    are made here, and refused: to a path of the operator, and to a path without a route.
    """
    for path in ("/admin/api/tenants", "/nothing/that/is/served"):
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": ""}
        where: Scope = {"path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
        await app({**scope, **where}, _no_body, _discard)


async def _no_body() -> Message:
    return {"type": "http.request"}


async def _discard(_message: Message) -> None: ...


def _reload(app: Application, process: Process) -> Reload:
    """What reads the configuration anew, and has every part go by it."""
    now = Configuration.of(app.settings)
    parts = Reconfiguration(now, process, app.budget, app.sockets, app.configured)
    reload = Reload(app.source, now, parts.take, process.broker)
    process.parts.append(reload)
    return reload


def _mount(app: Application, process: Process, reload: Reload) -> None:
    v3.mount(app, app.doors, process)
    if app.settings.socketio:  # Socket.IO
        app.configured.add(mount_socketio(app.mount_for_all, app.settings, app.budget, process))  # Socket.IO
    _mount_api(app, process, lambda: reload.now.hash)
    tenants = _tenant_service(process, SignIns(app.settings.trusted_proxies))
    _mount_admin(app, process, tenants, reload)
    process.v2.mount(app, app.doors, tenants, has_page=app.settings.has_page)  # V2


def _mount_api(app: Application, process: Process, configuration_hash: Callable[[], str]) -> None:
    handshakes, publisher = process.handshakes, process.messaging.publisher
    authority = Authority(handshakes.authentication, process.tenants.table, handshakes.preflight.origins, app.budget)
    rates = handshakes.tenant_limits.messages
    app.include_router(messages.router(authority, publisher, lambda: app.settings, rates, WallClock()))
    app.include_router(presence.router(authority, process.broker.presence))
    broker, connections = process.broker, process.messaging.connections
    address_of = partial(client_address, trusted_proxies=app.settings.trusted_proxies)
    app.include_router(api_events.router(authority, handshakes.event_streams, broker.addresses, address_of))
    exposition = _exposition(process, app.worker_group)
    authentication = process.handshakes.authentication
    parts = (broker.bus, broker.subscriber, broker.leases, connections, process.continuity.canary)
    vitals = health.Vitals(*parts, configuration_hash, lambda: authentication.keys_are_missing)
    app.include_router(health.router(vitals, exposition))
    client_files.mount(app)
    docs.mount(app)


def _tenant_service(process: Process, sign_ins: SignIns) -> TenantService:
    broker = process.broker
    return TenantService(
        process.handshakes.authentication,
        process.tenants.table,
        broker.redis,
        broker.addresses,
        process.records.reports,
        lambda: broker.bus.is_linked,
        sign_ins,
    )


def _mount_admin(app: Application, process: Process, tenants: TenantService, reload: Reload) -> None:
    app.include_router(routes.router(tenants))
    app.include_router(configuration.router(tenants, partial(_reload_all, app, reload)))
    app.include_router(keys.router(tenants, keys.KeyService(_key_ring(process))))
    app.include_router(events.router(tenants, lambda: process.messaging.connections.is_closing))
    dashboard.mount(app)


def _key_ring(process: Process) -> keys.KeyRing:
    handshakes, broker, table = process.handshakes, process.broker, process.tenants.table
    known = handshakes.authentication.keys
    return keys.KeyRing(
        known, handshakes.key_watch, broker.redis, broker.addresses, lambda name: table.get(name) is not None
    )


async def _reload_all(app: Application, reload: Reload, who: str) -> Reloaded:
    """Have this process read the configuration anew, and then the other workers of its command too."""
    reloaded = await asyncio.shield(reload.ask(who))
    if app.worker_group is not None and not reloaded.problem:
        app.worker_group.reload_all()
    return reloaded


def _exposition(process: Process, worker_group: WorkerGroup | None) -> Callable[[], Awaitable[bytes]]:
    """Returns the metrics of this process, or of all workers, in the Prometheus text format."""
    metrics = Metrics(process.parts)
    if worker_group is not None:
        worker_group.say(metrics.exposition)
        process.parts.append(worker_group)
        return worker_group.everyone

    async def own() -> bytes:
        return metrics.exposition()

    return own


def _stop_server_if_failed(running: "asyncio.Task[None]") -> None:
    """Stop the server when the process's task has failed, which is a bug: a service manager can then restart it."""
    if not running.cancelled() and running.exception() is not None:
        log.critical("process_broken", exc_info=running.exception())
        signal.raise_signal(signal.SIGTERM)
