"""Detects that Redis has lost its data, by a random mark stored beside the data. It repairs nothing.

Every process remembers the mark. When Redis holds another one, the data was lost, and one of the processes is chosen to
announce it.
"""

import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, cast

from redis.asyncio import Redis

from bridge.broker import scripts
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.link import rows_of

MOST_BYTES: Final = 128
"""Longer than any value that we write there."""

Lost = Callable[[bool], None]
"""Called when data was lost; the argument is true in the one process that must announce it."""


class Memory:
    """The mark as this process remembers it. `lost` is called when the mark in Redis has changed."""

    def __init__(self, bus: Bus, addresses: Addresses, now: Callable[[], str], lost: Lost) -> None:
        """`now` returns the time as ISO 8601."""
        self._bus = bus
        self._addresses = addresses
        self._now = now
        self._lost = lost
        self._mark = b""
        self.losses = 0

    def look(self) -> None:
        """Compare the marks. The reply comes later."""
        keys = [self._addresses.memory, self._addresses.loss]
        mark: Any = self._mark
        scripts.REMEMBER.run(self._bus, keys, [secrets.token_hex(8), mark, self._now()], self._looked)

    def _looked(self, reply: Any) -> None:
        if not isinstance(reply, list):
            return  # `look` is called again when Redis is found not to know this process
        before, self._mark = self._mark, reply[0]
        if before not in (b"", self._mark):
            self.losses += 1
            self._lost(reply[1] == 1)


def lost_at(value: bytes | None) -> str | None:
    """When a data loss was last found, as ISO 8601, from the value of `Addresses.loss`; else `None`."""
    _, _, at = (value or b"").decode(errors="replace").partition(" ")
    with contextlib.suppress(ValueError):
        return at if datetime.fromisoformat(at).tzinfo is not None else None
    return None  # empty, or written by another program


async def read_lost_at(redis: Redis, addresses: Addresses) -> str | None:
    """The same, read from Redis. Raises what redis-py raises, but not for a key of another type: that is `None`."""
    value: Any = await rows_of(cast(Any, redis).getrange(addresses.loss, 0, MOST_BYTES))
    return lost_at(value or None)
