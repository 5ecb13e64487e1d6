"""The WebSocket doors of one process: each handshake goes to the door of its path, past FastAPI, which is for HTTP.

It reads no path further than to the door, and decides nothing.
"""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bridge.handshake.preflight import Denied, answer_in_http


class Doors:
    """The doors, each with the path below which it is. A handshake on any other path is answered with 404."""

    def __init__(self) -> None:
        self._doors: dict[str, ASGIApp] = {}

    def add(self, path: str, door: ASGIApp) -> None:
        """Add a door: handshakes on this path, and on those below it, go there."""
        self._doors[path] = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        for prefix, door in self._doors.items():
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                try:
                    return await door(scope, receive, send)
                except Denied as denied:
                    return await answer_in_http(WebSocket(scope, receive, send), denied)
        return await _unknown(WebSocket(scope, receive, send))


async def _unknown(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("Not Found", 404))
