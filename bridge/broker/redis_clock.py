"""The time of day as Redis has it: for what expires in Redis, or is compared there with what other processes wrote.

The clock of this process may be days ahead or behind; what it then wrote would be thrown away at once, or would outlive
and push out what others wrote. So Redis is asked for its time, and a difference of more than `TOLERATED_SECONDS` is
added. Smaller ones are nobody's concern, and times of one process stay exact against each other. Never for `sent_at`.
"""

import time
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from bridge.broker.bus import Bus
from bridge.broker.commands import pack

TOLERATED_SECONDS: Final = 2.0
ASK_SECONDS: Final = 10.0
_TIME: Final = pack("TIME")

log = structlog.get_logger(__name__)


async def seconds_ahead(redis: Redis) -> float:
    """How far the clock of Redis is ahead of this machine's, for who asks once. Raises what redis-py raises."""
    begun_at = time.time()
    seconds, microseconds = await redis.time()
    return float(seconds + microseconds / 1_000_000 - (begun_at + time.time()) / 2)


class RedisClock:
    """Asks each time that the bus has a new link, and then every `ASK_SECONDS` while Redis takes what is said."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._ahead_seconds = 0.0
        self._asked_at = 0.0
        bus.back.add(self._ask)
        bus.taken.add(self._ask_now_and_then)

    def seconds(self) -> float:
        """The time of day, in seconds since the epoch."""
        return time.time() + self._ahead_seconds

    def microseconds(self) -> int:
        """The time of day, in microseconds since the epoch."""
        return time.time_ns() // 1_000 + round(self._ahead_seconds * 1_000_000)

    def _ask_now_and_then(self, asked_at: float) -> None:
        if asked_at - self._asked_at >= ASK_SECONDS:
            self._asked_at = asked_at
            self._ask()

    def _ask(self) -> None:
        begun_at = time.time()
        self._bus.command(_TIME, lambda reply: self._told(begun_at, reply))

    def _told(self, begun_at: float, reply: Any) -> None:
        now = time.time()
        if not isinstance(reply, list) or not 0 <= now - begun_at < TOLERATED_SECONDS:
            return  # no answer, or this process stood still meanwhile, or its clock was set
        ahead = int(reply[0]) + int(reply[1]) / 1_000_000 - (begun_at + now) / 2
        ahead = ahead if abs(ahead) > TOLERATED_SECONDS else 0.0
        if abs(ahead - self._ahead_seconds) > TOLERATED_SECONDS:
            log.warning("clock_differs_from_redis", redis_is_ahead_seconds=round(ahead, 1))
            self._ahead_seconds = ahead
        elif not ahead:
            self._ahead_seconds = 0.0
