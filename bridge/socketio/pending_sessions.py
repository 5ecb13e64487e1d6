"""The sessions in no namespace, by client address, and which of them is ended when there are too many. Pure.

It is the oldest session of the address that has most of them. So an address that begins many sessions cannot keep out
another address. The newest session must never be the one.
"""

from typing import Final

CONNECT_SECONDS: Final = 10.0
"""How long a session may be in no namespace."""


class PendingSessions:
    """Session ids by address; within one address, the oldest first."""

    def __init__(self) -> None:
        self._sids: Final[dict[str, dict[str, None]]] = {}
        self._addresses: Final[dict[str, str]] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def __contains__(self, sid: object) -> bool:
        return sid in self._addresses

    def add(self, sid: str, address: str) -> None:
        """Add a session that has begun, or has left its last namespace, as the newest of its address."""
        self.discard(sid)
        self._addresses[sid] = address
        self._sids.setdefault(address, {})[sid] = None

    def discard(self, sid: str) -> None:
        """Remove a session that has joined a namespace or is over; harmless when repeated."""
        address = self._addresses.pop(sid, None)
        if address is None:
            return
        del self._sids[address][sid]
        if not self._sids[address]:
            del self._sids[address]

    def gives_way(self) -> str:
        """The id of the session to end when there are too many. There must be at least one."""
        most = max(self._sids.values(), key=len)
        return next(iter(most))
