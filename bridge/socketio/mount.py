"""The Socket.IO door, put together and mounted at `/socket.io`. Imported only where the setting `socketio` is on."""

import asyncio
from typing import Final

from fastapi import FastAPI

from bridge.handshake.connect import Gate
from bridge.handshake.v3 import V2Gate, V3Gate
from bridge.records.counters import Counts
from bridge.socketio.endpoint import Endpoint
from bridge.socketio.sessions import Sessions
from bridge.socketio.v2 import V2SocketIoGate
from bridge.socketio.v3 import V3SocketIoGate
from legacy_v2 import ports as v2
from legacy_v2 import socketio_door as v2_door
from v3 import ports as v3
from v3 import socketio_door as v3_door

PATH: Final = "/socket.io"


def mount(
    app: FastAPI,
    gate: Gate,
    v3_way: tuple[V3Gate, v3.Ports],
    v2_way: tuple[V2Gate, v2.Ports],
    counts: Counts,
) -> Sessions:
    """Add the door to the application: the sessions, which must run as long as the process does."""
    settings, now = gate.settings, asyncio.get_running_loop().time
    sessions = Sessions(settings.outbox_bytes, settings.max_message_bytes, now, settings.trusted_proxies)
    v3_gate, v3_ports = v3_way
    v2_gate, v2_ports = v2_way
    sessions.doors[v3_door.NAMESPACE] = v3_door.SocketIoDoor(V3SocketIoGate(gate, v3_gate), v3_ports)
    sessions.doors[v2_door.NAMESPACE] = v2_door.SocketIoDoor(
        V2SocketIoGate(gate, v2_gate, gate.table, counts), v2_ports
    )
    app.mount(PATH, Endpoint(sessions, gate.reception))
    return sessions
