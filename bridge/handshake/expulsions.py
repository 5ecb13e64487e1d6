"""Ends open connections that would not be admitted any more: their key or their tenant is gone, or means less now.

It decides by `Authentication.verdict` alone. A stage evicts elsewhere (`cutover/evictions.py`), and at a pace; here
nobody waits for a turn, since a key may have been revoked because it was stolen.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from bridge.handshake.authentication import Authentication
from bridge.messaging.connections import Connection, Connections

LOOKED_AT_PER_TURN: Final = 100


class Expulsions:
    """The expulsions of one process."""

    def __init__(self, connections: Connections, authentication: Authentication) -> None:
        self._connections = connections
        self._authentication = authentication
        self.expelled = 0
        connections.begun.add(self.look_at)  # the keys may have changed during the handshake

    def look_at_all(self) -> None:
        """Look at every connection: some at once, the others in the next turns of the loop."""
        self._look_at(list(self._connections))

    def _look_at(self, connections: Sequence[Connection]) -> None:
        for connection in connections[:LOOKED_AT_PER_TURN]:
            self.look_at(connection)
        if len(connections) > LOOKED_AT_PER_TURN:
            asyncio.get_running_loop().call_soon(self._look_at, connections[LOOKED_AT_PER_TURN:])

    def look_at(self, connection: Connection) -> None:
        """Refuse one connection, if it would not be admitted now."""
        info = connection.info
        code = self._authentication.verdict(info.ticket, info.place.tenant)
        if code is not None and connection in self._connections:
            self.expelled += 1
            connection.refuse(code)
