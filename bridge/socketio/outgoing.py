"""What waits for one client of the Socket.IO door: the library's queue, which also knows how much is in it.

Unbounded by itself, since the library puts into it, too: the bound is its session's concern.
"""

import asyncio
from typing import Any, Final

from bridge.socketio.packets import Ready

PACKET_BYTES: Final = 64
"""What a packet costs beside its text."""


class Waiting(asyncio.Queue[Any]):
    """Packets, the library's or our own, and `None` where the library stops reading."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    async def some(self, most: int) -> list[Any]:
        """What waits, as soon as anything does, in order; at most so many."""
        taken = [await self.get()]
        while len(taken) < most and not self.empty():
            taken.append(self.get_nowait())
        return taken

    def _put(self, item: Any) -> None:
        self.bytes += _cost(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.bytes -= _cost(item)
        return item


def _cost(item: Any) -> int:
    return PACKET_BYTES + (len(item.blob) if isinstance(item, Ready) else 0)
