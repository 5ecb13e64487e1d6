"""How listeners on V3 hear a batch of bus messages, as bytes that are ready to be written. V2's renderer: `v2.py`.

It is rendered once per batch, and decides nothing about who hears it. How a text is framed is the transport's concern.
"""

from collections.abc import Sequence
from typing import Final

from bridge.broker.message import BusMessage
from bridge.sockets.framing import WEBSOCKET, Framing


class V3Renderer:
    """For everyone on V3, of whatever tenant: the line's own bytes. V3 has no word for a heartbeat of V2."""

    def __init__(self, framing: Framing = WEBSOCKET) -> None:
        self._framing: Final = framing

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        frame = self._framing.json
        return self._framing.between.join(
            frame(message.line)
            for message in batch
            if message.v2_text is None or message.heard["msg_type"] != "heartbeat"
        )
