"""The ASGI application of one process: builds the process, mounts its routes, and runs it as the lifespan. No rules."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope
from starlette.websockets import WebSocket

from bridge.admin import dashboard, events, routes
from bridge.admin.service import TenantService
from bridge.api import client_files, health, messages, presence
from bridge.api.authority import Authority
from bridge.api.errors import handle_errors
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.handshake.own_name import OwnName, answers_every_name
from bridge.handshake.preflight import Denied, answer_in_http
from bridge.runtime import limits, v3
from bridge.runtime.clock import WallClock
from bridge.runtime.metrics import Metrics
from bridge.runtime.process import Process
from bridge.runtime.socketio import mount as mount_socketio  # Socket.IO
from bridge.runtime.worker_metrics import WorkerGroup
from bridge.sockets.part import Sockets

SUMMARY: Final = "Aether V2 and V3 clients, talking to each other through Redis."

log = structlog.get_logger(__name__)


class Application(FastAPI):
    """The application that uvicorn serves.

    The process is built later, inside the event loop. Budget and sockets are made here, since the server needs them
    earlier.
    """

    def __init__(self, settings: Settings, redis_url: str, worker_group: WorkerGroup | None = None) -> None:
        """`redis_url` and `worker_group` (the other workers) are chosen by the command that starts the server."""
        super().__init__(
            title="Aether Bridge", summary=SUMMARY, lifespan=_lifespan, redoc_url=None, redirect_slashes=False
        )
        self.settings: Final = settings
        self.redis_url: Final = redis_url
        self.worker_group: Final = worker_group
        self.budget: Final = Budget(settings.limits)
        self.sockets: Final = Sockets(limits.strangers(settings))
        self.process: Process | None = None
        handle_errors(self)
        self.add_exception_handler(Denied, answer_in_http)
        if not answers_every_name(settings):
            self.add_middleware(OwnName)


@asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    process = app.process = Process(app.settings, app.redis_url, app.budget, app.sockets)
    _mount(app, process)
    running = asyncio.create_task(process.run())
    running.add_done_callback(_stop_server_if_failed)
    try:
        await process.start()
        await _warm_up_routes(app)
        yield
    finally:
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


def _mount(app: Application, process: Process) -> None:
    v3.mount(app, process)
    if app.settings.socketio:  # Socket.IO
        mount_socketio(app, app.settings, app.budget, process)  # Socket.IO
    _mount_api(app, process)
    tenants = _tenant_service(process)
    _mount_admin(app, process, tenants)
    process.v2.mount(app, tenants, has_page=app.settings.has_page)  # V2
    app.add_api_websocket_route("/{rest:rest}", _unknown)  # our convertor `rest`: Starlette's ends at a line break


def _mount_api(app: Application, process: Process) -> None:
    handshakes, publisher = process.handshakes, process.messaging.publisher
    authority = Authority(handshakes.authentication, process.tenants.table, handshakes.preflight.origins, app.budget)
    app.include_router(messages.router(authority, publisher, app.settings, WallClock()))
    app.include_router(presence.router(authority, process.broker.presence))
    broker, connections = process.broker, process.messaging.connections
    exposition = _exposition(process, app.worker_group)
    authentication = handshakes.authentication
    health_routes = health.router(
        broker.bus, broker.subscriber, broker.leases, connections, exposition, lambda: authentication.keys_are_missing
    )
    app.include_router(health_routes)
    client_files.mount(app)


def _tenant_service(process: Process) -> TenantService:
    broker = process.broker
    return TenantService(
        process.handshakes.authentication,
        process.tenants.table,
        broker.redis,
        broker.addresses,
        process.records.reports,
        lambda: broker.bus.is_linked,
    )


def _mount_admin(app: FastAPI, process: Process, tenants: TenantService) -> None:
    app.include_router(routes.router(tenants))
    app.include_router(events.router(tenants, lambda: process.messaging.connections.is_closing))
    dashboard.mount(app)


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


async def _unknown(websocket: WebSocket) -> None:
    """Answer a WebSocket handshake on an unknown path with 404."""
    await websocket.send_denial_response(PlainTextResponse("Not Found", 404))


def _stop_server_if_failed(running: "asyncio.Task[None]") -> None:
    """Stop the server when the process's task has failed, which is a bug: a service manager can then restart it."""
    if not running.cancelled() and running.exception() is not None:
        log.critical("process_broken", exc_info=running.exception())
        signal.raise_signal(signal.SIGTERM)
