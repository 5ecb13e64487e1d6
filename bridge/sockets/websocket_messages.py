"""What a client sends on an open WebSocket before a connection is attached: the application asks for each message.

So nothing is read of a client that nobody wants to hear, and nothing is queued but the one message that was asked for.
It decides nothing.
"""

import asyncio
from typing import Any, Final

from bridge.budget.accounts import Holder
from bridge.sockets.departure import Departure
from bridge.sockets.websocket_protocol import WebSocketProtocol
from v3.refusals import REFUSALS

Event = dict[str, Any]


class Messages:
    """The messages of one socket as ASGI events. For its socket it takes the place of a connection until there is one.

    `departure` is told when the client is gone.
    """

    reads_binary: Final = True

    def __init__(self, socket: WebSocketProtocol, holder: Holder, departure: Departure) -> None:
        """`holder` pays for what is read."""
        self.holder: Final = holder
        self._socket = socket
        self._departure = departure
        self._asked: asyncio.Future[Event] | None = None
        self.is_over = False

    async def next(self) -> Event:
        """The next message, or that the client is gone. There is one caller at a time."""
        if self.is_over:
            return _GONE
        self._asked = asyncio.get_running_loop().create_future()
        self._socket.read_on()
        try:
            return await self._asked
        finally:
            self._asked, self._socket.may_read = None, False

    def receive(self, text: str, _receipt: object = None) -> None:
        """Give the one message that was asked for, and have no more read until the next is."""
        self._socket.may_read = False
        self._answer({"type": "websocket.receive", "text": text})

    def refuse(self, code: str) -> None:
        """Close the socket of a client that is still nobody."""
        self._socket.begin_close(REFUSALS[code].close or 1008, code)

    def alive(self) -> None:
        """Nobody waits for that."""

    def taken_all(self) -> None:
        """Nobody waits for that."""

    def lost(self) -> None:
        """The client is gone, or is sent away."""
        self.is_over = True
        self._answer(_GONE)
        self._departure.gone()

    def _answer(self, event: Event) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(event)


_GONE: Final[Event] = {"type": "websocket.disconnect", "code": 1006}
