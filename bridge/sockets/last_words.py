"""The sockets that were closed politely: what their clients still say is said, until they close. It reads nothing.

What their messages need may not stop meanwhile: see `over`.
"""

import asyncio
from collections.abc import Hashable


class LastWords:
    """The sockets of one process whose clients are still heard. Each is here for the closing handshake at most."""

    def __init__(self) -> None:
        self._sockets: set[Hashable] = set()
        self._none_left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, one: Hashable) -> None:
        """Add a socket that was closed politely."""
        self._sockets.add(one)

    def discard(self, one: Hashable) -> None:
        """Remove a socket whose client has closed, or is gone; harmless when repeated."""
        self._sockets.discard(one)
        if not self._sockets:
            self._none_left.set()

    async def over(self) -> None:
        """Return when nobody is heard any more. A socket that does not close is aborted, so this ends."""
        while self._sockets:
            self._none_left.clear()
            await self._none_left.wait()
