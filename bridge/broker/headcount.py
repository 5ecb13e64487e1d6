"""How many connections there are, of all processes together: each says its own number, whoever asks adds them up.

A number that is not said again for a few seconds is forgotten with its process. It never counts anything itself.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.link import pack

SAY_SECONDS: Final = 1.0
LIFETIME_SECONDS: Final = 5

OpenByTenant = Callable[[], Mapping[tuple[str, str], int]]


class Headcount:
    """This process's number of connections by tenant and protocol, said again and again."""

    def __init__(self, bus: Bus, addresses: Addresses, process: str, open_by_tenant: OpenByTenant) -> None:
        self._bus = bus
        self._key = addresses.headcount(process)
        self._open_by_tenant = open_by_tenant

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.say()
            await asyncio.sleep(SAY_SECONDS)

    def say(self) -> None:
        """Say it now."""
        counts: dict[str, dict[str, int]] = {}
        for (tenant, protocol), number in self._open_by_tenant().items():
            counts.setdefault(tenant, {})[protocol] = number
        self._bus.command(pack("SET", self._key, json.dumps(counts), "EX", LIFETIME_SECONDS), _ignore)


async def read_headcount(redis: Redis, addresses: Addresses) -> dict[str, Counter[str]]:
    """Tenant -> protocol -> open connections, of all processes that live. Raises what redis-py raises."""
    processes: list[Any] = await redis.zrange(addresses.processes, 0, -1)
    total: dict[str, Counter[str]] = {}
    if processes:
        said: list[Any] = await redis.mget([addresses.headcount(process.decode()) for process in processes])
        for counts in said:
            for tenant, protocols in json.loads(counts or "{}").items():
                total.setdefault(tenant, Counter()).update(protocols)
    return total


def _ignore(reply: Any) -> None:
    """It is said again in a second."""
