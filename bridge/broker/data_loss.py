"""Whether Redis still holds what it held: a mark that is lost with everything else. It repairs nothing.

Every process learns the mark; where it is another than before, one of them is told to say that what was there is lost.
"""

import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, cast

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.link import rows_of
from bridge.broker.scripts import Script

MOST_BYTES: Final = 128
"""What we write there is shorter."""
REMEMBER: Final = Script.in_file("bridge.broker", "data_loss_mark")

Lost = Callable[[bool], None]


class Memory:
    """The mark as this process knows it. `lost` is called when it has changed: with true in the one that says so."""

    def __init__(self, bus: Bus, addresses: Addresses, now: Callable[[], str], lost: Lost) -> None:
        """`now` gives the time as ISO 8601."""
        self._bus = bus
        self._addresses = addresses
        self._now = now
        self._lost = lost
        self._mark = b""
        self.losses = 0

    def look(self) -> None:
        """Compare; the answer comes later."""
        keys = [self._addresses.memory, self._addresses.loss]
        mark: Any = self._mark
        REMEMBER.run(self._bus, keys, [secrets.token_hex(8), mark, self._now()], self._looked)

    def _looked(self, reply: Any) -> None:
        if not isinstance(reply, list):
            return  # asked again when Redis is found not to know us
        before, self._mark = self._mark, reply[0]
        if before not in (b"", self._mark):
            self.losses += 1
            self._lost(reply[1] == 1)


def lost_at(value: bytes | None) -> str | None:
    """When Redis was last found to have lost what it held (ISO 8601), from what `Addresses.loss` holds."""
    _, _, at = (value or b"").decode(errors="replace").partition(" ")
    with contextlib.suppress(ValueError):
        return at if datetime.fromisoformat(at).tzinfo is not None else None
    return None  # nothing, or somebody else's


async def read_lost_at(redis: Redis, addresses: Addresses) -> str | None:
    """The same, from Redis. Raises what redis-py raises, but where something of another type stands there."""
    value: Any = await rows_of(cast(Any, redis).getrange(addresses.loss, 0, MOST_BYTES))
    return lost_at(value or None)
