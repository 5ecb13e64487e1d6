"""The sessions that are in no namespace, by the address from which each began: who gives way where there is no room.

The longest waiting session of the address that has most. So one address never keeps another out, however many it
begins; it must never refuse the newcomer.
"""

from typing import Final


class Outside:
    """Which sessions wait, the longest waiting first within each address."""

    def __init__(self) -> None:
        self._waiting: Final[dict[str, dict[str, None]]] = {}
        self._addresses: Final[dict[str, str]] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def __contains__(self, sid: object) -> bool:
        return sid in self._addresses

    def add(self, sid: str, address: str) -> None:
        """A session waits from now on."""
        self.discard(sid)
        self._addresses[sid] = address
        self._waiting.setdefault(address, {})[sid] = None

    def discard(self, sid: str) -> None:
        """It waits no longer; harmless when it did not."""
        address = self._addresses.pop(sid, None)
        if address is None:
            return
        del self._waiting[address][sid]
        if not self._waiting[address]:
            del self._waiting[address]

    def gives_way(self) -> str:
        """The session that makes room for another. There must be one."""
        most = max(self._waiting.values(), key=len)
        return next(iter(most))
