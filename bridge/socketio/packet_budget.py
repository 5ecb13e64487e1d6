"""The budget of one session that polls: each packet of a POST waits for its turn, and is charged. It reads no packet.

A POST is answered when all its packets were handled, and a session has one POST handled at a time. So a client that is
over its budget waits, and nobody waits for it. With a WebSocket the socket's own reader does this
(`sockets/reader.py`).
"""

import asyncio
from time import monotonic
from typing import Final

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget


class PacketBudget:
    """The accounts that pay for the packets of one session."""

    def __init__(self, budget: Budget, address: str) -> None:
        """`address`: the client's IP address."""
        self._turns: Final = budget.turns
        self._account: Final = budget.connection()
        self.stranger: Final = budget.stranger(address)
        """Who pays while the client is in no namespace."""
        self.posting: Final = asyncio.Lock()
        """Held while the packets of one POST are handled."""
        self.posts = 0
        """POSTs that are handled, or wait for that."""

    async def turn(self, holder: Holder) -> None:
        """Return when one more packet may be handled. `holder`: who pays."""
        seconds = self._account.wait_seconds(monotonic())
        if seconds:
            await asyncio.sleep(seconds)
        await self._turns.turn(holder)

    def spent(self, holder: Holder, size_bytes: int, seconds: float) -> None:
        """Charge one packet. The holder is charged for the time with the whole request."""
        self._account.spend(size_bytes, 1, seconds * 1_000)
        self._turns.spent(holder, size_bytes, 1, 0)
