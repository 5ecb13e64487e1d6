"""Socket.IO among the workers of one command: a session lives in one of them, and its requests may reach any.

A session's id begins with the number of its worker; what is meant for another is passed on to it, over a socket in the
command's own directory, and its answer handed back as it is. It reads neither packets nor credentials.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bridge.runtime.worker_metrics import Siblings
from bridge.socketio.door import TooLarge
from bridge.sockets.later import later
from bridge.sockets.request_body import TooLong, read_body
from bridge.system import open_files

POLL_SECONDS: Final = 60.0
MOST_HEAD_BYTES: Final = 65_536
HOP_BY_HOP: Final = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"keep-alive"})
GONE: Final = {"code": 1, "message": "There is no such session here: connect again."}


class EngineForward:
    """The door of one worker, before which it is looked whose session is asked for."""

    def __init__(self, door: ASGIApp, siblings: Siblings, most_bytes: int) -> None:
        """`most_bytes`: of one POST."""
        self._door = door
        self._siblings = siblings
        self._most_bytes = most_bytes
        self._most_under_way = open_files.passed_on()
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = self._siblings.place_of(_worker_in(scope))
        if place is None:
            await self._door(scope, receive, send)
        elif self._under_way >= self._most_under_way:
            await _refuse(scope, receive, send)
        else:
            self._under_way += 1
            try:
                await self._forward(scope, receive, send, place)
            finally:
                self._under_way -= 1

    async def _forward(self, scope: Scope, receive: Receive, send: Send, place: Path) -> None:
        if scope["type"] == "websocket":
            await _relay(WebSocket(scope, receive, send), place)
        else:
            response = await _ask(Request(scope, receive), place, self._most_bytes)
            await response(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = later("overloaded", "Too many requests are on their way to other workers.")
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(refusal)
    else:
        await refusal(scope, receive, send)


def _worker_in(scope: Scope) -> str:
    """The number with which the session's id begins; empty where there is no session yet."""
    try:
        query: dict[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=64)
    except ValueError:
        return ""
    return query.get("sid", [""])[-1].partition(".")[0]


async def _ask(request: Request, place: Path, most_bytes: int) -> Response:
    """The answer of the worker that has the session."""
    try:
        body = await read_body(request, most_bytes)
        async with asyncio.timeout(POLL_SECONDS):
            reader, writer = await asyncio.open_unix_connection(place, limit=MOST_HEAD_BYTES)
            try:
                writer.write(_head(request, len(body)) + body)
                return await _unless_gone(request, reader)
            finally:
                writer.close()
    except TooLong:
        return TooLarge()
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncio.IncompleteReadError,
        asyncio.LimitOverrunError,
        ClientDisconnect,
    ):
        return JSONResponse(GONE, 400)


async def _unless_gone(request: Request, reader: asyncio.StreamReader) -> Response:
    """The answer; a client that goes away meanwhile takes its poll along, there as here."""
    answer, gone = asyncio.create_task(_answer(reader)), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        await _end([answer, gone])


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _head(request: Request, length: int) -> bytes:
    target = request.scope["raw_path"] + b"?" + request.scope["query_string"]
    lines = [request.method.encode() + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw if name not in HOP_BY_HOP]
    return b"\r\n".join([*lines, b"content-length: %d" % length, b"connection: close", b"", b""])


async def _answer(reader: asyncio.StreamReader) -> Response:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    length = next((int(value) for name, value in headers if name == b"content-length"), None)
    body = await (reader.read(-1) if length is None else reader.readexactly(length))
    response = Response(body, int(first.split(b" ", 2)[1]))
    response.raw_headers += [
        (name, value) for name, value in headers if name not in HOP_BY_HOP and name != b"content-length"
    ]
    return response


async def _relay(websocket: WebSocket, place: Path) -> None:
    """Frames both ways, until either side ends."""
    query = websocket.scope["query_string"].decode("latin-1")
    kept = {name: value for name, value in websocket.headers.items() if name in ("origin", "user-agent")}
    origin, agent = kept.get("origin"), kept.get("user-agent")
    address = f"ws://{websocket.headers.get('host', 'localhost')}/socket.io/?{query}"
    try:
        async with unix_connect(
            str(place),
            address,
            origin=cast(Any, origin),
            user_agent_header=agent,
            compression=None,
            max_size=None,
            ping_interval=None,
        ) as other:
            await websocket.accept()
            await _both_ways(websocket, other)
    except (OSError, WebSocketException, TimeoutError, ValueError):
        # ValueError and some of the others: a Host that is no host.
        with contextlib.suppress(OSError, RuntimeError):  # it was accepted, and is gone
            await websocket.send_denial_response(JSONResponse(GONE, 400))


async def _both_ways(websocket: WebSocket, other: ClientConnection) -> None:
    ways = [asyncio.create_task(_to_worker(websocket, other)), asyncio.create_task(_to_client(other, websocket))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(ways)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close(other.close_code or 1000, other.close_reason or "")


async def _end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _to_worker(websocket: WebSocket, other: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while (event := await websocket.receive())["type"] == "websocket.receive":
            text = event.get("text")
            await other.send(text if text is not None else event.get("bytes") or b"")


async def _to_client(other: ClientConnection, websocket: WebSocket) -> None:
    with contextlib.suppress(ConnectionClosed, RuntimeError, WebSocketDisconnect):
        async for message in other:
            await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))
