"""The WebSocket of an Engine.IO session: the session begins with it, or is upgraded to it from polling.

Until the client has joined a namespace, each packet is awaited here, as on any unauthenticated socket. From then on the
socket passes what it reads to the session in the same turn of the loop. It must never raise because of what a client
does or fails to do.
"""

import asyncio
from functools import partial
from typing import Final

from starlette.types import Receive
from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.socketio.polling import vouch_for
from bridge.socketio.session import Session
from bridge.socketio.sessions import Sessions
from bridge.sockets.ports import WebSocketWire, when_gone

PROBE_SECONDS: Final = 10.0
"""How long each step of an upgrade may take."""


async def begin(websocket: WebSocket, sessions: Sessions, wire: WebSocketWire) -> None:
    """Begin a session with this handshake, and hand it to its socket once the client is in a namespace."""
    if await _is_accepted(websocket, sessions, wire):
        await _carry(websocket, sessions.begin(websocket.scope, wire), wire)


async def upgrade(websocket: WebSocket, sessions: Sessions, session: Session, wire: WebSocketWire) -> None:
    """Upgrade a session that polls. If the upgrade fails, the session goes on polling."""
    session.transport.candidate = wire
    when_gone(websocket.scope, partial(_give_up_upgrade, session, wire))
    try:
        if await _is_accepted(websocket, sessions, wire):
            await _ask_to_take_over(websocket, session, wire)
    finally:
        _give_up_upgrade(session, wire)
    if session.engine.transport == "websocket":
        await _carry(websocket, session, wire)


async def _is_accepted(websocket: WebSocket, sessions: Sessions, wire: WebSocketWire) -> bool:
    """Accept the handshake; returns false if the client is gone. Frames may have `Sessions.most_bytes`."""
    wire.take_messages_up_to(sessions.most_bytes)
    try:
        await websocket.accept()
    except (WebSocketDisconnect, OSError, RuntimeError):
        return False
    return True


async def _ask_to_take_over(websocket: WebSocket, session: Session, wire: WebSocketWire) -> None:
    """Do the steps of an upgrade, until it has succeeded, the session is over, or the client sends nothing more."""
    while not session.is_over and session.transport.candidate is wire:
        packet = await _next_soon(websocket.receive)
        if packet is None:
            return
        session.receive_upgrade(packet)
        vouch_for(websocket.scope, session)


def _give_up_upgrade(session: Session, wire: WebSocketWire) -> None:
    """Close the WebSocket, and let the session go on polling. Harmless if the upgrade has succeeded."""
    if session.transport.candidate is wire:
        session.transport.candidate = None
        session.engine.give_up_upgrade()
        wire.begin_close(1000, "")


async def _carry(websocket: WebSocket, session: Session, wire: WebSocketWire) -> None:
    when_gone(websocket.scope, session.lost)
    try:
        while not (session.is_over or session.namespaces.joined):
            packet = await _next(websocket.receive)
            if packet is None:
                break
            await session.receive_in_turn(packet)
        if session.namespaces.joined and not session.is_over:
            session.when_joined = wire.pays
            wire.attach(session)
            return
    except BaseException:
        session.lost()
        raise
    session.lost()


async def _next_soon(receive: Receive) -> str | None:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await _next(receive)
    except TimeoutError:
        return None


async def _next(receive: Receive) -> str | None:
    """The next packet; `None` at the end. A binary message is returned as empty text, which is no valid packet."""
    event = await receive()
    return event.get("text") or "" if event["type"] == "websocket.receive" else None
