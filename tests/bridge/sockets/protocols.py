"""The protocol classes of one server of these tests."""

from __future__ import annotations

from typing import Any

from bridge.budget.budget import Budget
from bridge.budget.drain import OutboxBounds
from bridge.config.settings import Settings
from bridge.sockets.http_protocol import HttpProtocol
from bridge.sockets.keepalive import Keepalive
from bridge.sockets.last_words import LastWords
from bridge.sockets.strangers import Strangers
from bridge.sockets.websocket_opening import WebSocketOpening
from bridge.sockets.websocket_protocol import WebSocketProtocol

OUTBOX_BYTES = 100_000
OUTBOX = OutboxBounds(OUTBOX_BYTES, 50_000)


def protocols(
    strangers: Strangers | None = None, budget: Budget | None = None, keepalive_seconds: float = 20.0
) -> dict[str, Any]:
    """The protocol classes, as uvicorn is told them."""
    counted = Strangers(100, 100, 100) if strangers is None else strangers
    kept = {"budget": budget or Budget(Settings().limits), "strangers": counted}
    own = {"outbox_bounds": OUTBOX, "heard_out": LastWords(), "keepalive": Keepalive(keepalive_seconds)}
    socket_class = type("Socket", (WebSocketProtocol,), kept | own | {"__slots__": (), "most_message_bytes": 65_536})
    return {
        "http": type("Http", (HttpProtocol,), kept),
        "ws": type("Opening", (WebSocketOpening,), kept | {"socket_class": socket_class}),
    }
