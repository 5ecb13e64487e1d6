"""How an open WebSocket is known to be alive: the part that is pinged. It reads nothing, and ends nothing by itself.

When a ping is due is decided in `keepalive.py`.
"""

import asyncio
from typing import Final

from bridge.sockets.framing import PING_FRAME
from bridge.sockets.keepalive import Beat, Keepalive
from bridge.sockets.ports import Carried


class WebSocketPings(asyncio.Protocol):
    """One WebSocket: the part that is pinged."""

    __slots__ = ("_beat", "_carried", "_has_told", "_is_alive", "transport")

    keepalive: Keepalive

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport: Final = transport
        self._carried: Carried | None = None
        self._is_alive = self._has_told = True
        self._beat: Beat | None = None

    def _start_keepalive(self) -> None:
        self._beat = self.keepalive.add(self)

    def _stop_keepalive(self) -> None:
        if self._beat is not None:
            self._beat.pop(self, None)
            self._beat = None

    def ping(self) -> None:
        """Send a ping; end the socket if nothing has arrived since the last one. Any frame is as good as a pong."""
        if not self._is_alive:
            return self._end_silent()
        if not self._has_told:
            self._tell_alive()
        self._is_alive = self._has_told = False
        return self.transport.write(PING_FRAME)

    def _tell_alive(self) -> None:
        """Tell the connection of a sign of life: of each pong at once, of anything else when a ping is due."""
        self._has_told = True
        if self._carried is not None:
            self._carried.alive()

    def _end_silent(self) -> None:
        """End the socket: nothing has arrived since the last ping."""
        raise NotImplementedError
