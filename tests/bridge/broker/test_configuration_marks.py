"""The hashes of the processes' configurations, as they stand in Redis."""

from __future__ import annotations

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.configuration_marks import ConfigurationMark, read_marks
from tests.bridge.broker.parts import running, running_bus, until_true

FAR_AHEAD = 4_000_000_000


async def test_the_mark_of_a_process_is_read_while_it_lives_and_follows_its_configuration(
    redis_url: str, prefix: str
) -> None:
    addresses, hashes = Addresses(prefix), ["0123456789ab"]
    async with Redis.from_url(redis_url, protocol=2) as redis, running_bus(redis_url) as bus:
        await redis.zadd(addresses.processes, {"here": FAR_AHEAD, "silent": FAR_AHEAD})
        async with running(ConfigurationMark(bus, addresses, "here", lambda: hashes[0])):

            async def is_said(expected: str) -> bool:
                return await read_marks(redis, addresses) == {"here": expected}

            await until_true(lambda: is_said("0123456789ab"))
            hashes[0] = "ba9876543210"
            await until_true(lambda: is_said("ba9876543210"))


async def test_what_others_have_written_there_is_no_mark(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    async with Redis.from_url(redis_url, protocol=2) as redis:
        for name in (b"a", b"b", b"\xff"):
            await redis.zadd(addresses.processes, {name: FAR_AHEAD})
        await redis.set(addresses.configuration("a"), "\x1b]0;x\x07")
        await redis.hset(addresses.configuration("b"), "x", "y")
        assert await read_marks(redis, addresses) == {}
