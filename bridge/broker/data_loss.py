"""Detects that Redis has lost its data, by a random mark stored beside the data. It repairs nothing.

Every process remembers the mark. When Redis holds another one, the data was lost, and one of the processes is chosen to
announce it.
"""

import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.scripts import Script
from bridge.system.observers import Observers

MOST_BYTES: Final = 128
"""Longer than any value that we write there."""
REMEMBER: Final = Script.in_file("bridge.broker", "data_loss_mark")


class DataLossMark:
    """The mark as this process knows it."""

    def __init__(self, bus: Bus, addresses: Addresses, now: Callable[[], str]) -> None:
        """`now` gives the time as ISO 8601."""
        self._bus = bus
        self._addresses = addresses
        self._now = now
        self._mark = b""
        self.losses = 0
        self.lost: Final = Observers[[bool]]()
        """Told when the mark has changed: with true in the one process that says so for all."""

    def look(self) -> None:
        """Compare the marks. The reply comes later."""
        keys = [self._addresses.memory, self._addresses.loss]
        REMEMBER.run(self._bus, keys, [secrets.token_hex(8), self._mark, self._now()], self._looked)

    def _looked(self, reply: Any) -> None:
        if not isinstance(reply, list):
            return  # `look` is called again when Redis is found not to know this process
        before, self._mark = self._mark, reply[0]
        if before not in (b"", self._mark):
            self.losses += 1
            self.lost(reply[1] == 1)


def lost_at(value: bytes | None) -> str | None:
    """When a data loss was last found, as ISO 8601, from the value of `Addresses.loss`; else `None`."""
    _, _, at = (value or b"").decode(errors="replace").partition(" ")
    with contextlib.suppress(ValueError):
        return at if datetime.fromisoformat(at).tzinfo is not None else None
    return None  # empty, or written by another program


async def read_lost_at(redis: Redis, addresses: Addresses) -> str | None:
    """The same, from Redis. Raises what redis-py raises, but where something of another type stands there."""
    return lost_at(await unreadable.answer_of(redis.getrange(addresses.loss, 0, MOST_BYTES), b""))
