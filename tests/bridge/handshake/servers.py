"""ASGI servers of one handshake: one that offers a wire as ours does, and one that does not."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import FastAPI

from bridge.budget.accounts import Holder
from bridge.sockets.ports import ASGI_EXTENSION, Carried

PATH = "/v3/ws/group/team/client/ann"


class OtherServer:
    """It can answer a handshake in HTTP, and has no wire."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.accepted_at = 0.0
        self.extensions: dict[str, Any] = {"websocket.http.response": {}}

    async def receive(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(self, event: Any) -> None:
        self.sent.append(event)
        if event["type"] == "websocket.accept":
            self.accepted_at = time.time()

    async def ask(self, app: FastAPI, path: str = PATH, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """Hand a handshake to the application, until that is done with it."""
        scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "ws"}
        more = {"headers": headers or [], "subprotocols": [], "extensions": self.extensions}
        await app({**scope, **more}, self.receive, self.send)


class Server(OtherServer):
    """It offers a wire."""

    def __init__(self) -> None:
        super().__init__()
        self.extensions[ASGI_EXTENSION] = self
        self.attached: asyncio.Future[Carried] = asyncio.get_running_loop().create_future()

    def write(self, frames: bytes) -> None: ...

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None: ...

    def abort(self) -> None: ...

    def pays(self, holder: Holder) -> None: ...

    def attach(self, carried: Carried) -> None:
        self.attached.set_result(carried)
