"""Connections and messages of all processes together: each writes its numbers to Redis, and the reader adds them up.

It never counts anything itself. The numbers of a process expire `LIFETIME_SECONDS` after it last wrote them.

Bounded: the reader asks for `MOST_PROCESSES` processes, those that renewed their leases last, and reads `MOST_BYTES` of
each. Numbers beyond these bounds, or that cannot be read, count as zero.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses, process_in
from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from v3 import form

SAY_SECONDS: Final = 1.0
LIFETIME_SECONDS: Final = 5
MOST_PROCESSES: Final = 256
MOST_BYTES: Final = 524_288
LEAST_WEIGHT: Final = 256
MOST: Final = 2**53
"""The largest number that the bridge can have written."""

Counted = Callable[[], Mapping[str, Mapping[tuple[str, str], int]]]
"""Returns what is counted (`connections`, `messages`) -> (tenant, protocol) -> number."""
TenantCounts = Mapping[str, Mapping[str, Counter[str]]]
"""Tenant -> what is counted -> protocol -> number; zero where no process wrote one."""


class ClusterCounts:
    """Writes this process's numbers, by tenant and protocol, to Redis."""

    def __init__(self, bus: Bus, addresses: Addresses, process: str, counted: Counted) -> None:
        self._bus = bus
        self._key = addresses.headcount(process)
        self._counted = counted

    async def run(self) -> None:
        """Write them every `SAY_SECONDS`, until cancelled."""
        while True:
            self.say()
            await asyncio.sleep(SAY_SECONDS)

    def say(self) -> None:
        """Write them now, without waiting for the reply."""
        said: dict[str, dict[str, dict[str, int]]] = {}
        for what, numbers in self._counted().items():
            for (tenant, protocol), number in numbers.items():
                said.setdefault(tenant, {}).setdefault(what, {})[protocol] = number
        self._bus.command(pack("SET", self._key, json.dumps(said), "EX", LIFETIME_SECONDS), _ignore)


async def read_cluster_counts(redis: Redis, addresses: Addresses) -> TenantCounts:
    """The sums over all living processes. Raises what redis-py raises."""
    processes: list[bytes] = await unreadable.answer_of(redis.zrevrange(addresses.processes, 0, MOST_PROCESSES - 1), [])
    total: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for name in filter(None, map(process_in, processes)):
        said = await unreadable.answer_of(redis.getrange(addresses.headcount(name), 0, MOST_BYTES), b"")
        for tenant, what, protocol, number in _read(said or b"{}"):
            total[tenant][what][protocol] += number
    return total


def _read(said: bytes) -> list[tuple[str, str, str, int]]:
    """Tenant, what is counted, protocol and number; empty if the bridge cannot have written the value."""
    try:
        form.form_of(said.decode(), len(said) + LEAST_WEIGHT)  # ours have less structure than text
        return list(_numbers(form.from_json(said)))
    except (ValueError, AttributeError):
        unreadable.skip("headcount")
        return []


def _numbers(said: Any) -> Iterator[tuple[str, str, str, int]]:
    for tenant, counted in said.items():
        for what, protocols in counted.items():
            for protocol, number in protocols.items():
                if type(number) is not int or not 0 <= number <= MOST:
                    raise ValueError
                yield tenant, what, protocol, number


def _ignore(reply: object) -> None:
    """Nothing to do: the numbers are written again a second later."""
