"""The uvicorn server of one process: its protocol classes, its limits, and its graceful shutdown. It decides nothing.

uvicorn by itself would close every socket before the application is told to stop, and raise the signal again at its
end. So the drain begins here, at the signal, and the command's exit status is 0.
"""

import asyncio
import gc
import signal
import socket
from functools import partial
from typing import Any, Final

import structlog
import uvicorn

from bridge.budget.client_address import client_address
from bridge.config.settings import Settings
from bridge.runtime.app import Application
from bridge.runtime.shutdown import LastResort, seconds_for_parts
from bridge.sockets.http_protocol import HttpProtocol
from bridge.sockets.keepalive import Keepalive
from bridge.sockets.metered import Metered
from bridge.sockets.websocket_opening import WebSocketOpening
from bridge.sockets.websocket_protocol import WebSocketProtocol

log = structlog.get_logger(__name__)

PING_SECONDS: Final = 20.0
BACKLOG: Final = 4_096
ACCEPTED_AT_ONCE: Final = 16
"""Handles of each listening socket (itself and duplicates). The loop accepts one connection from each in a turn."""
SEND_BUFFER_BYTES: Final = 256 * 1024
"""In the kernel, for each connection. By itself Linux would let a client that does not read hold some 4 MB."""
KEEP_ALIVE_SECONDS: Final = 75  # longer than a proxy's (nginx: 60), so that the proxy ends idle connections, not we
LAST_TASKS_SECONDS: Final = 1
LAST_RESORT_SECONDS: Final = 2.0
"""The process is ended by force this long after `drain_seconds`. A normal end (`LAST_TASKS_SECONDS` too) is sooner."""
POLL_SECONDS: Final = 0.02
GARBAGE_YOUNG: Final = 50_000
GARBAGE_MIDDLE: Final = 20
GARBAGE_OLD: Final = 50


class Server(uvicorn.Server):
    """uvicorn's server with a shutdown of our own: clients are sent a close, after all that was queued for them."""

    def __init__(self, config: uvicorn.Config, app: Application) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds: Final = app.settings.drain_seconds
        self.last_resort: Final = LastResort(self._drain_seconds + LAST_RESORT_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.last_resort.loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Handle a signal. It may interrupt the process at any point.

        A second SIGINT hurries nothing, the end has its deadline: uvicorn would skip the end of the application.
        """
        self.last_resort.begin()
        super().handle_exit(signal.SIGTERM, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping", drain_seconds=self._drain_seconds)
        deadline = asyncio.get_running_loop().time() + seconds_for_parts(self._drain_seconds)
        for server in self.servers:
            server.close()
        if self._app.process is not None:
            await self._app.process.stop()
        await self._let_flush(deadline)
        await super().shutdown(sockets)
        log.info("stopped")

    async def _let_flush(self, deadline: float) -> None:
        """Wait until all WebSockets have sent their queued data and closed. At the deadline, abort the rest."""
        now = asyncio.get_running_loop().time
        while (unfinished := self._websockets()) and now() < deadline:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(POLL_SECONDS)
        for websocket in unfinished:
            websocket.abort()

    def _websockets(self) -> list[WebSocketProtocol | WebSocketOpening]:
        connections: set[object] = {*self.server_state.connections}
        return [each for each in connections if isinstance(each, WebSocketProtocol | WebSocketOpening)]


class Config(uvicorn.Config):
    """uvicorn's configuration for one process."""

    def __init__(self, app: Application) -> None:
        settings, budget = app.settings, app.budget
        kept = {"strangers": app.sockets.strangers, "budget": budget}
        own = {
            "__slots__": (),
            "keepalive": Keepalive(PING_SECONDS),
            "heard_out": app.sockets.heard_out,
            "outbox_bounds": settings.outbox_bounds,
            "most_message_bytes": settings.max_message_bytes,
        }
        self._socket_class: type[WebSocketProtocol] = type("WebSocketProtocol", (WebSocketProtocol,), kept | own)
        super().__init__(
            Metered(app, budget, partial(client_address, trusted_proxies=settings.trusted_proxies)),
            host=settings.host,
            port=settings.port,
            interface="asgi3",
            loop="uvloop",
            http=type("HttpProtocol", (HttpProtocol,), kept),
            ws=type("WebSocketOpening", (WebSocketOpening,), kept | {"socket_class": self._socket_class}),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=LAST_TASKS_SECONDS,
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # client_address.py decides which proxies are trusted
        )
        app.configured.add(self._take)

    def _take(self, settings: Settings) -> None:
        """Other settings: the size of a message for connections that begin, what may wait for all of them."""
        self._socket_class.most_message_bytes = settings.max_message_bytes
        self._socket_class.outbox_bounds = settings.outbox_bounds


def serve(app: Application, sockets: list[socket.socket]) -> bool:
    """Serve until SIGTERM or SIGINT; returns whether the server ever started."""
    _tune_garbage_collection()
    server = Server(Config(app), app)

    def end(_number: int, _frame: object) -> None:
        server.should_exit = True
        server.last_resort.begin()

    for number in (signal.SIGTERM, signal.SIGINT):
        # For signals before uvicorn sets its own handlers, and for the signal that it raises again at its end.
        signal.signal(number, end)
    server.run([handle for listener in sockets for handle in _handles(listener)])
    server.last_resort.over()
    return server.started


def _tune_garbage_collection() -> None:
    """Run the garbage collector less often: reference counting frees what messages allocate, and a run costs more.

    With Python's default thresholds, the collector takes two fifths of a core for a thousand connections that send.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_YOUNG, GARBAGE_MIDDLE, GARBAGE_OLD)


def _handles(listener: socket.socket) -> list[socket.socket]:
    """The handles of a listening socket: itself and duplicates, so that more connections are accepted in each turn.

    In a flood of connections a new client would otherwise wait one turn of the loop for each client before it. Each
    connection inherits the size of the send buffer.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]
