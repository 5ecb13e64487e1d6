"""Nothing else stands under a record's name for long, and one process is told of what was lost."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.tenants import change_log_check
from bridge.tenants.change_log_check import ChangeLogCheck
from bridge.tenants.tenant import Tenant
from tests.bridge.broker.parts import running_bus

TENANTS = [Tenant("acme"), Tenant("other")]


class Told:
    """Who watches, and of whose records each was told."""

    def __init__(self, bus: Bus, addresses: Addresses, tenants: Iterable[Tenant] = TENANTS, watches: int = 1) -> None:
        self.names: list[list[str]] = []
        self._bus = bus
        self._watches = [ChangeLogCheck(bus, addresses, lambda: tenants) for _ in range(watches)]
        for watch in self._watches:
            watch.lost.add(self._lost)

    def _lost(self, tenants: Iterable[Tenant]) -> None:
        self.names.append([tenant.name for tenant in tenants])

    async def look(self) -> None:
        for watch in self._watches:
            watch.look()
        for _ in range(2):  # once more where Redis does not know the script yet
            await self._bus.wait_until_answered()


async def test_what_is_no_record_makes_room_and_one_process_is_told_whose_it_was(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    async with Redis.from_url(redis_url) as redis, running_bus(redis_url) as bus:
        told = Told(bus, addresses, watches=2)
        for name in (addresses.changes, addresses.record("other")):
            await redis.set(name, "something else")
        await told.look()
        assert sorted(told.names) == [["acme", "other"], ["other"]]
        assert await redis.exists(addresses.changes, addresses.record("other")) == 0


async def test_a_record_stays_and_so_does_none(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    async with Redis.from_url(redis_url) as redis, running_bus(redis_url) as bus:
        told = Told(bus, addresses)
        for length in range(2):
            await told.look()
            for name in (addresses.changes, addresses.record("acme")):
                assert await redis.xlen(name) == length
                await redis.xadd(name, {"tenant": "acme"})
        assert told.names == []


async def test_of_very_many_tenants_each_has_its_turn(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log_check, "TENANTS_PER_LOOK", 2)
    addresses, names = Addresses(prefix), [f"tenant-{number}" for number in range(5)]
    async with Redis.from_url(redis_url) as redis, running_bus(redis_url) as bus:
        told = Told(bus, addresses, [Tenant(name) for name in names])
        for name in names:
            await redis.set(addresses.record(name), "something else")
        for looks in (1, 2):
            await told.look()
            assert told.names == [[name] for name in names[: 2 * looks]]
        await told.look()
        assert told.names == [[name] for name in names]
