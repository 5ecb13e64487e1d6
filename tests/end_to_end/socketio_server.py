"""A small Socket.IO server that answers as a V3 session does, for the client's fallback alone. It knows no tenants."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import socketio
import uvicorn

from tests.ports import free_port

NAMESPACE: Final = "/v3"
PATIENCE_SECONDS: Final = 10.0
PING_SECONDS: Final = 0.2


class SocketIoServer:
    """In a thread of the test; what the test sets is read by the next connection."""

    def __init__(self) -> None:
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        self.auth: dict[str, Any] | None = None
        self.refuses: str | None = None
        self._present: set[str] = set()
        self._server = socketio.AsyncServer(
            async_mode="asgi", cors_allowed_origins="*", transports=["polling"], ping_interval=PING_SECONDS
        )
        self._server.on("connect", self._connect, namespace=NAMESPACE)
        self._server.on("message", self._message, namespace=NAMESPACE)
        self._server.on("disconnect", self._disconnect, namespace=NAMESPACE)
        app = socketio.ASGIApp(self._server)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app, port=self.port, log_config=None, lifespan="off", timeout_graceful_shutdown=1, loop="asyncio"
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[SocketIoServer]:
        server = cls()
        thread = threading.Thread(target=lambda: asyncio.run(server._serve()))
        thread.start()
        try:
            server._wait(lambda: server._uvicorn.started)
            yield server
        finally:
            server._uvicorn.should_exit = True
            thread.join(PATIENCE_SECONDS)

    def go_away(self, retry_after_ms: int) -> None:
        """As a bridge that stops: an ERROR to everyone, and the end."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._go_away(retry_after_ms), self._loop).result(PATIENCE_SECONDS)

    def wait_for_pings(self, number: int) -> None:
        """Long enough for so many."""
        time.sleep(number * PING_SECONDS)

    def wait_until_left(self) -> None:
        self._wait(lambda: not self._present)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._uvicorn.serve()
        await self._server.shutdown()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: dict[str, Any]) -> None:
        if self.refuses is not None:
            raise socketio.exceptions.ConnectionRefusedError("Connect with a valid api_key.", {"code": self.refuses})
        self.auth = auth
        self._present.add(sid)

    async def _disconnect(self, sid: str, reason: str) -> None:
        self._present.discard(sid)

    async def _message(self, sid: str, message: dict[str, Any]) -> None:
        stamped = {"version": "3", **message, "from_id": "ann", "group_id": "team", "sent_at": "now"}
        await self._server.emit("message", stamped, to=sid, namespace=NAMESPACE)

    async def _go_away(self, retry_after_ms: int) -> None:
        payload = {"code": "going_away", "retry": True, "detail": [], "refused": {}, "retry_after_ms": retry_after_ms}
        error = {"version": "3", "msg_type": "cmd", "target": "echo", "from_id": "server", "group_id": "team"}
        for sid in list(self._present):
            said = {**error, "cmd": "ERROR", "msg": "The server is restarting.", "payload": payload, "sent_at": "now"}
            await self._server.emit("message", said, to=sid, namespace=NAMESPACE)
            await self._server.disconnect(sid, namespace=NAMESPACE)

    def _wait(self, holds: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.02)
