"""Renders a batch of bus messages as framed bytes for listeners on V3. V2's renderer is in `v2.py`.

It decides nothing about who receives a message. How a text is framed is the transport's concern (`Framing`).
"""

from collections.abc import Sequence
from typing import Final

from bridge.broker.message import BusMessage
from bridge.messaging.routing import is_for
from bridge.sockets.framing import WEBSOCKET, Framing


def is_for_v3(message: BusMessage) -> bool:
    """Whether listeners on V3 get this message. Not heartbeats of V2 clients: V3 has no message for them."""
    return message.v2_text is None or is_for("v3", "v2", message.heard.msg_type)


class V3Renderer:
    """Frames the unchanged bytes of each line. One renderer serves V3 listeners of all tenants."""

    def __init__(self, framing: Framing = WEBSOCKET) -> None:
        self._framing: Final = framing

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        frame = self._framing.json
        if len(batch) == 1:
            return frame(batch[0].line) if is_for_v3(batch[0]) else b""
        return self._framing.between.join(frame(message.line) for message in batch if is_for_v3(message))
