"""Builds the Socket.IO namespaces of one process and mounts the endpoint. Imported only if the setting is on."""

from fastapi import FastAPI

from bridge.config.settings import Settings
from bridge.runtime.process import Process
from bridge.runtime.v3 import v3_ports
from bridge.socketio import v2, v3
from bridge.socketio.mount import mount as mount_sessions
from bridge.socketio.ports import Door


def mount(app: FastAPI, settings: Settings, process: Process) -> None:
    """Add `/socket.io/` to the application. Its sessions end after their connections were asked to close."""
    preflight, of_v2 = process.handshakes.preflight, process.v2
    table, counts = process.tenants.table, process.records.counts
    doors: dict[str, Door] = {
        v3.NAMESPACE: v3.door(preflight, process.handshakes.v3, v3_ports(process)),
        v2.NAMESPACE: v2.door(preflight, of_v2.handshake, table, counts, of_v2.ports),
    }
    sessions = mount_sessions(app, settings, preflight, doors)
    process.messaging.connections.cutting_off.add(sessions.end_all)
    process.parts.append(sessions)
