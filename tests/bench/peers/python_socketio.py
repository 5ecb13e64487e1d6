"""python-socketio with its Redis manager: what a client says is emitted to every client of its group.

Usage: `REDIS_URL=… uvicorn --app-dir tests/bench/peers python_socketio:app`.
"""

import os
from typing import Any
from urllib.parse import parse_qs

import socketio

server = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(os.environ["REDIS_URL"]),
    transports=["websocket"],
    logger=False,
    engineio_logger=False,
)
app = socketio.ASGIApp(server)
groups: dict[str, str] = {}


async def connect(client: str, environ: dict[str, Any]) -> None:
    """Joins the group that the query names."""
    groups[client] = parse_qs(environ["QUERY_STRING"])["group"][0]
    await server.enter_room(client, groups[client])


async def message(client: str, data: Any) -> None:
    await server.emit("message", data, room=groups[client])


async def disconnect(client: str) -> None:
    del groups[client]


for name, handler in (("connect", connect), ("message", message), ("disconnect", disconnect)):
    server.on(name, handler)
