"""The hash of each process's configuration in Redis, so that processes that differ are seen. It knows no setting.

A mark expires `LIFETIME_SECONDS` after its process last wrote it.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final

from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses, process_in
from bridge.broker.bus import Bus
from bridge.broker.commands import pack

SAY_SECONDS: Final = 1.0
LIFETIME_SECONDS: Final = 10
MOST_PROCESSES: Final = 256
_HASH: Final = re.compile(rb"[0-9a-f]{1,64}")


class ConfigurationMark:
    """Writes the mark of one process. `process`: its name in Redis; `hash_now`: the hash of its configuration."""

    def __init__(self, bus: Bus, addresses: Addresses, process: str, hash_now: Callable[[], str]) -> None:
        self._bus = bus
        self._key = addresses.configuration(process)
        self._hash_now = hash_now

    async def run(self) -> None:
        """Write it every `SAY_SECONDS`, until cancelled."""
        while True:
            self._bus.command(pack("SET", self._key, self._hash_now(), "EX", LIFETIME_SECONDS), _ignore)
            await asyncio.sleep(SAY_SECONDS)


async def read_marks(redis: Redis, addresses: Addresses) -> Mapping[str, str]:
    """Process -> the hash of its configuration, for those that are alive. Raises what redis-py raises."""
    processes: list[bytes] = await unreadable.answer_of(redis.zrevrange(addresses.processes, 0, MOST_PROCESSES - 1), [])
    marks: dict[str, str] = {}
    for name in filter(None, map(process_in, processes)):
        said = await unreadable.answer_of(redis.getrange(addresses.configuration(name), 0, 64), b"")
        if _HASH.fullmatch(said):
            marks[name] = said.decode()
    return marks


def _ignore(reply: object) -> None:
    """Nothing to do: it is written again in a second."""
