"""Assembles the Socket.IO endpoint and mounts it at `/socket.io`. Imported only if the setting `socketio` is on."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp

from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.handshake.preflight import Preflight
from bridge.records.counters import Counts
from bridge.socketio.endpoint import Endpoint
from bridge.socketio.ports import Door
from bridge.socketio.sessions import Sessions

PATH: Final = "/socket.io"
Mount = Callable[[str, ASGIApp], None]
"""Adds to the application what answers below a path, over HTTP and for WebSocket handshakes."""


def mount(
    at: Mount, settings: Settings, budget: Budget, counts: Counts, preflight: Preflight, doors: Mapping[str, Door]
) -> Sessions:
    """Add the endpoint to the application, and return its sessions, which must run as long as the process does.

    `doors`: namespace -> its door, as made by `v3_door` and `v2_door`.
    """
    now = asyncio.get_running_loop().time
    bounds, most_bytes = settings.outbox_bounds, settings.max_message_bytes
    sessions = Sessions(bounds, most_bytes, budget, counts, now, settings.trusted_proxies)
    sessions.doors.update(doors)
    at(PATH, Endpoint(sessions, preflight))
    return sessions
