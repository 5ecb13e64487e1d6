"""The numbers of all processes together, on a real Redis."""

import asyncio

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.headcount import Headcount, read_headcount
from bridge.broker.link import pool


async def test_the_numbers_of_all_living_processes_add_up(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    bus = Bus(pool(redis_url, "test"), addresses.probe)
    running = asyncio.create_task(bus.run())
    assert await bus.wait_until_up(5)
    async with Redis.from_url(redis_url) as redis:
        assert await read_headcount(redis, addresses) == {}
        await redis.zadd(addresses.processes, {"one": 1, "two": 1, "silent": 1})
        connections = {("acme", "v2"): 2, ("acme", "v3"): 1}
        Headcount(bus, addresses, "one", lambda: {"connections": connections, "messages": {("acme", "v2"): 7}}).say()
        Headcount(bus, addresses, "two", lambda: {"connections": {("acme", "v3"): 4, ("other", "v2"): 1}}).say()
        Headcount(bus, addresses, "forgotten", lambda: {"connections": {("acme", "v2"): 100}}).say()
        await bus.wait_until_answered()
        assert await read_headcount(redis, addresses) == {
            "acme": {"connections": {"v2": 2, "v3": 5}, "messages": {"v2": 7}},
            "other": {"connections": {"v2": 1}},
        }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
