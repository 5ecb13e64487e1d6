"""Counts the V2 clients of a tenant that were refused because of its stage in the last minute. It judges nothing.

Only clients in the tenant's census count, and each one once, however often it tries. So a client that was never
admitted can make no stage change look bad, and takes no memory. Redis counts in slices of `SLICE_SECONDS`, each of
bounded size (a HyperLogLog, exact to 1 %).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.scripts import Script
from bridge.records.refused_clients import MOVES, RefusedClient
from bridge.records.rows import Visitor

SLICE_SECONDS: Final = 5
SLICES_PER_MINUTE: Final = 60 // SLICE_SECONDS
SLICE_LIFETIME_SECONDS: Final = 120
VISITORS_PER_COMMAND: Final = 200
REFUSE: Final = Script.in_file("bridge.records", "turned_away_count")
MOST_TURNED_AWAY: Final = 5_000
"""Clients of one tenant that are counted in one second; further ones are not counted, and no guard sees them."""


class TurnedAway:
    """The clients that this process has refused since the last write; none if `is_kept` is false."""

    def __init__(self, bus: Bus, addresses: Addresses, seconds: Callable[[], float], *, is_kept: bool = True) -> None:
        self._bus = bus
        self._addresses = addresses
        self._seconds = seconds
        self._is_kept = is_kept
        self._visitors: dict[str, dict[Visitor, None]] = defaultdict(dict)

    def told(self, client: RefusedClient) -> None:
        """Add a client whose handshake was refused, if that was because of its tenant's stage."""
        if client.facts.code in MOVES:
            self.add(client.tenant, client.visitor)

    def add(self, tenant: str, visitor: Visitor) -> None:
        """Remember a client that was refused because of its tenant's stage."""
        if self._is_kept and len(self._visitors[tenant]) < MOST_TURNED_AWAY:
            self._visitors[tenant][visitor] = None

    def note_rows(self) -> Iterator[None]:
        """Send them to Redis, for the current slice of time; one step for each tenant."""
        visitors, self._visitors = self._visitors, defaultdict(dict)
        for tenant, some in visitors.items():
            note(self._bus, self._addresses, tenant, some, self._seconds())
            yield


def note(bus: Bus, addresses: Addresses, tenant: str, visitors: Iterable[Visitor], seconds: float) -> None:
    """Count these clients as refused at `seconds` since the epoch, without waiting for Redis."""
    keys = [addresses.roll(tenant, "census"), addresses.refused(tenant, int(seconds) // SLICE_SECONDS)]
    waiting = iter(visitors)
    while some := list(islice(waiting, VISITORS_PER_COMMAND)):
        rows: list[str | int] = [word for one in some for word in (one.key(), one.client_id or one.key())]
        REFUSE.run(bus, keys, [SLICE_LIFETIME_SECONDS, *rows], _ignore)


async def in_a_minute(redis: Redis, addresses: Addresses, tenant: str, milliseconds: int) -> int:
    """How many different clients were refused in the minute up to this time, in milliseconds since the epoch.

    A slice whose key has another type counts as empty. Raises what redis-py raises.
    """
    newest = milliseconds // (SLICE_SECONDS * 1_000)
    slices = [addresses.refused(tenant, newest - age) for age in range(SLICES_PER_MINUTE + 1)]
    try:
        return cast(int, await cast(Any, redis.pfcount(*slices)))
    except ResponseError:
        ours = await _that_count(redis, slices)
        return cast(int, await cast(Any, redis.pfcount(*ours))) if ours else 0


async def _that_count(redis: Redis, slices: Sequence[str]) -> list[str]:
    """The slices that Redis can count: without keys of another type, which other programs have written."""
    async with redis.pipeline(transaction=False) as pipeline:
        for each in slices:
            pipeline.pfcount(each)
        numbers = await pipeline.execute(raise_on_error=False)
    return [each for each, number in zip(slices, numbers, strict=True) if isinstance(number, int)]


def _ignore(reply: object) -> None:
    """Nothing to do: the guards do not see a refusal that was not counted, but they see the next ones."""
