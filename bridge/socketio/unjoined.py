"""The sessions that have joined no namespace, by the address from which each began: which one ends for lack of room.

That is the oldest session of the address that has most of them, so that no address keeps another out, however many
sessions it begins. Must never refuse the newest session. Pure.
"""

from typing import Final


class Unjoined:
    """The ids of these sessions, the oldest first within each address."""

    def __init__(self) -> None:
        self._sids: Final[dict[str, dict[str, None]]] = {}
        self._addresses: Final[dict[str, str]] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def __contains__(self, sid: object) -> bool:
        return sid in self._addresses

    def add(self, sid: str, address: str) -> None:
        """A session has joined no namespace, or has just left its last one: it is the newest of its address."""
        self.discard(sid)
        self._addresses[sid] = address
        self._sids.setdefault(address, {})[sid] = None

    def discard(self, sid: str) -> None:
        """A session has joined a namespace, or is over; harmless when repeated."""
        address = self._addresses.pop(sid, None)
        if address is None:
            return
        del self._sids[address][sid]
        if not self._sids[address]:
            del self._sids[address]

    def gives_way(self) -> str:
        """The id of the session that ends where there are too many. There must be one."""
        most = max(self._sids.values(), key=len)
        return next(iter(most))
