"""The WebSocket endpoint (door) of V3: admits a client, and makes its session. It decides nothing about messages.

Ids are read from the raw path, segment by segment, so that an escaped slash makes the id invalid instead of making
another path. A refusal is sent so that a web page can read it: accept, one ERROR message, then the close frame with its
code.
"""

from functools import partial
from typing import Final
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from v3.messages import timestamp
from v3.ports import Handshake, Ports, Refused
from v3.refusals import REFUSALS, error
from v3.session import Session

PREFIX: Final = "/v3/ws"
PATH: Final = "/v3/ws/group/{group_id}/client/{client_id}"


def ids_in(path: str) -> tuple[str, str] | None:
    """Group id and client id in a raw path, unescaped; `None` when this is no path of V3."""
    match [unquote(segment) for segment in path.split("/")]:
        case ["", "v3", "ws", "group", group_id, "client", client_id] if group_id and client_id:
            return group_id, client_id
        case _:
            return None


def websocket_door(handshake: Handshake[WebSocket], ports: Ports) -> ASGIApp:
    """V3's WebSocket endpoint, for every handshake below `/v3/ws`, as an ASGI application."""

    async def enter(scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        ids = ids_in(_raw_path(websocket))
        if ids is None:
            await websocket.send_denial_response(PlainTextResponse("Not Found", 404))
            return
        try:
            client = await handshake.admit(websocket, *ids)
            await client.serve(partial(Session, client.guest, ports=ports))
        except Refused as refused:
            await _refuse(websocket, refused, ports)

    return enter


def _raw_path(websocket: WebSocket) -> str:
    raw = websocket.scope.get("raw_path")
    return raw.decode("ascii") if raw else str(websocket.scope["path"])


async def _refuse(websocket: WebSocket, refused: Refused, ports: Ports) -> None:
    refusal = REFUSALS[refused.code]
    await websocket.accept()
    await websocket.send_text(error(refusal, refused.group_id, timestamp(ports.clock.microseconds())).decode())
    await websocket.close(refusal.close or 1008, refused.code)
