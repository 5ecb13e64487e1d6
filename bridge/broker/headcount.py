"""How many connections there are and messages there were, of all processes: each says its own, whoever asks adds up.

A number that is not said again for a few seconds is forgotten with its process. It never counts anything itself.
"""

import asyncio
import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.link import pack, rows_of

SAY_SECONDS: Final = 1.0
LIFETIME_SECONDS: Final = 5

Counted = Callable[[], Mapping[str, Mapping[tuple[str, str], int]]]
"""What is counted (`connections`, `messages`) -> (tenant, protocol) -> number."""
Headcounts = Mapping[str, Mapping[str, Counter[str]]]
"""Tenant -> what is counted -> protocol -> number; zero for whatever nobody said."""


class Headcount:
    """This process's numbers by tenant and protocol, said again and again."""

    def __init__(self, bus: Bus, addresses: Addresses, process: str, counted: Counted) -> None:
        self._bus = bus
        self._key = addresses.headcount(process)
        self._counted = counted

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.say()
            await asyncio.sleep(SAY_SECONDS)

    def say(self) -> None:
        """Say it now."""
        said: dict[str, dict[str, dict[str, int]]] = {}
        for what, numbers in self._counted().items():
            for (tenant, protocol), number in numbers.items():
                said.setdefault(tenant, {}).setdefault(what, {})[protocol] = number
        self._bus.command(pack("SET", self._key, json.dumps(said), "EX", LIFETIME_SECONDS), _ignore)


async def read_headcount(redis: Redis, addresses: Addresses) -> Headcounts:
    """The numbers of all processes that live. Raises what redis-py raises."""
    processes = await rows_of(cast(Any, redis).zrange(addresses.processes, 0, -1))
    total: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    if processes:
        said: list[Any] = await redis.mget([addresses.headcount(process.decode()) for process in processes])
        for numbers in said:
            for tenant, what, protocol, number in _read(numbers):
                total[tenant][what][protocol] += number
    return total


def _read(numbers: bytes | None) -> Iterator[tuple[str, str, str, int]]:
    """Tenant, what is counted, protocol and number; nothing of what somebody else wrote under our name."""
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        for tenant, counted in json.loads(numbers or "{}").items():
            for what, protocols in counted.items():
                for protocol, number in protocols.items():
                    yield tenant, what, protocol, int(number)


def _ignore(reply: Any) -> None:
    """It is said again in a second."""
