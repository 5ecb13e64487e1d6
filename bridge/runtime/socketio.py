"""The Socket.IO door, put together and mounted. Imported only where it is asked for: it needs the extra `socketio`."""

import asyncio
from typing import Final

from fastapi import FastAPI

from bridge.runtime.process import Process
from bridge.runtime.worker_metrics import Siblings
from bridge.socketio.connect import V2SocketIoGate, V3SocketIoGate
from bridge.socketio.door import EngineDoor
from bridge.socketio.engine import Engine
from bridge.socketio.worker_proxy import EngineForward
from legacy_v2 import ports as v2
from legacy_v2 import socketio_door as v2_door
from v3 import ports as v3
from v3 import socketio_door as v3_door

PATH: Final = "/socket.io"


def mount(
    app: FastAPI,
    process: Process,
    v3_ports: v3.Ports,
    v2_ports: v2.Ports,
    siblings: Siblings | None,
) -> None:
    """Add the door to the application, and its server to what the process runs."""
    settings = process.settings
    now = asyncio.get_running_loop().time
    engine = Engine(settings.outbox_bytes, settings.max_message_bytes, now, settings.trusted_proxies)
    engine.namespaces[v3_door.NAMESPACE] = v3_door.SocketIoDoor(
        V3SocketIoGate(process.preflight, process.v3_handshake), v3_ports
    )
    engine.namespaces[v2_door.NAMESPACE] = v2_door.SocketIoDoor(
        V2SocketIoGate(process.preflight, process.v2_handshake, process.table, process.counts), v2_ports
    )
    process.added.parts.append(engine)
    process.added.ends.append(engine.end_all)
    process.added.counted["bridge_socketio_sessions"] = ("Sessions begun.", lambda: engine.begun)
    process.added.counted["bridge_socketio_displaced"] = (
        "Sessions in no namespace that ended because others began.",
        lambda: engine.displaced,
    )
    process.added.counted["bridge_socketio_broken"] = ("Sessions closed for what they said.", lambda: engine.broken)
    door = EngineDoor(engine, process.preflight)
    if siblings is None:
        app.mount(PATH, door)
    else:
        engine.mark = f"{siblings.number}."
        app.mount(PATH, EngineForward(door, siblings, engine.most_bytes))
