"""The WebSocket endpoints (door) of V2: both prefixes, five path forms each. It decides nothing about messages.

Ids are read from the raw path, segment by segment, so that an id may contain an escaped slash. A refusal is sent so
that a web page can read it: accept, one text frame, then the close frame with its code.
"""

from functools import partial
from typing import Final
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from legacy_v2.ports import Handshake, Ports, Refused
from legacy_v2.refusals import REFUSALS, refusal_frame
from legacy_v2.session import Session

PREFIXES: Final = ("/ws", "/ws_redis")


def ids_in(path: str) -> tuple[str | None, str | None] | None:
    """Group id and client id in a raw path (`/ws/group/lobby/client/42`), unescaped.

    Each is `None` when the path has none. The result is `None` when this is no path of V2.
    """
    _, _, *segments = path.split("/")
    match [unquote(segment) for segment in segments]:
        case [] | [""]:
            return None, None
        case ["group", group_id, "client", client_id] if group_id and client_id:
            return group_id, client_id
        case ["group", group_id] if group_id:
            return group_id, None
        case ["client", client_id] | [client_id] if client_id:
            return None, client_id
        case _:
            return None


def websocket_door(handshake: Handshake[WebSocket], ports: Ports) -> ASGIApp:
    """V2's WebSocket endpoints, for every handshake below one of `PREFIXES`, as an ASGI application."""

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
            await _refuse(websocket, refused)

    return enter


def _raw_path(websocket: WebSocket) -> str:
    raw = websocket.scope.get("raw_path")
    return raw.decode("ascii") if raw else str(websocket.scope["path"])


def first_offered(websocket: WebSocket) -> str | None:
    """The subprotocol to answer with, as legacy did: browsers fail a connection that takes up none that they offer."""
    return next(iter(websocket.scope.get("subprotocols") or ()), None)


async def _refuse(websocket: WebSocket, refused: Refused) -> None:
    refusal = REFUSALS[refused.code]
    headers = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
    await websocket.accept(first_offered(websocket), headers)
    await websocket.send_text(refusal_frame(refusal, **refused.told).decode())
    await websocket.close(refusal.close or 1008, refused.code)
