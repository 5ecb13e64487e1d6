"""Nothing else stands under the record's name for long, and one process is told of what was lost."""

from __future__ import annotations

from functools import partial

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.record_watch import RecordWatch
from tests.bridge.broker.parts import running_bus


async def test_what_is_no_record_makes_room_and_one_process_is_told(redis_url: str, prefix: str) -> None:
    told: list[int] = []
    addresses = Addresses(prefix)
    async with Redis.from_url(redis_url) as redis, running_bus(redis_url) as bus:
        watches = [RecordWatch(bus, addresses, partial(told.append, number)) for number in range(2)]
        await redis.set(addresses.changes, "something else")
        for watch in watches:
            watch.look()
        for _ in range(2):  # once more where Redis does not know the script yet
            await bus.wait_until_answered()
        assert len(told) == 1
        assert await redis.exists(addresses.changes) == 0


async def test_a_record_stays_and_so_does_none(redis_url: str, prefix: str) -> None:
    told: list[int] = []
    addresses = Addresses(prefix)
    async with Redis.from_url(redis_url) as redis, running_bus(redis_url) as bus:
        watch = RecordWatch(bus, addresses, lambda: told.append(0))
        for length in range(2):
            watch.look()
            for _ in range(2):
                await bus.wait_until_answered()
            assert await redis.xlen(addresses.changes) == length
            await redis.xadd(addresses.changes, {"tenant": "acme"})
    assert told == []
