"""Builds the Socket.IO namespaces of one process and mounts the endpoint. Only a process that serves it needs its room.

So the room is imported in the function: it may have been deleted, or never be needed.
"""
# ruff: noqa: PLC0415

from collections.abc import Callable

from starlette.types import ASGIApp

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.runtime.process import Process
from bridge.runtime.v3 import v3_ports

Mount = Callable[[str, ASGIApp], None]


def mount(at: Mount, settings: Settings, budget: Budget, process: Process) -> Callable[[Settings], None]:
    """Add `/socket.io/` to the application, by `at`; returns what has its sessions go by other settings."""
    from bridge.socketio.mount import mount as mount_sessions
    from bridge.socketio.ports import Door
    from bridge.socketio.v2 import v2_door  # V2
    from bridge.socketio.v3 import v3_door
    from legacy_v2.socketio_door import NAMESPACE as V2  # V2
    from v3.socketio_door import NAMESPACE as V3

    preflight, connections = process.handshakes.preflight, process.messaging.connections
    v2 = process.v2  # V2
    doors: dict[str, Door] = {
        V3: v3_door(preflight, process.handshakes.v3, v3_ports(process)),
        V2: v2_door(preflight, v2.handshake, process.tenants.table, process.records.counts, v2.ports),  # V2
    }
    sessions = mount_sessions(at, settings, budget, process.records.counts, preflight, doors)
    connections.flushes.append(sessions.flushed)
    connections.cutting_off.add(sessions.end_all)
    process.parts.append(sessions)
    return lambda after: sessions.bound(after.outbox_bounds, after.max_message_bytes)
