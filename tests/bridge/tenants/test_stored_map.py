"""A large hash, read and written in pieces."""

from __future__ import annotations

from redis.asyncio import Redis

from bridge.tenants.stored_map import ABANDONED_SECONDS, FIELDS_PER_COMMAND, prepare_map, put_in_place, read_map

MANY = {f"field {number}": f"{number}é" for number in range(2 * FIELDS_PER_COMMAND + 1)}


async def test_what_is_written_is_seen_whole_or_not_at_all(redis_url: str, prefix: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.hset(prefix, "old", "one")
        waiting = await prepare_map(redis, prefix, MANY)
        assert await read_map(redis, prefix) == {"old": "one"}
        assert 0 < await redis.ttl(waiting) <= ABANDONED_SECONDS
        async with redis.pipeline(transaction=True) as pipeline:
            put_in_place(pipeline, prefix, waiting)
            await pipeline.execute()
        assert await read_map(redis, prefix) == MANY
        assert (await redis.ttl(prefix), await redis.exists(waiting)) == (-1, 0)


async def test_no_fields_are_no_hash(redis_url: str, prefix: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.hset(prefix, "old", "one")
        assert await prepare_map(redis, prefix, {}) == ""
        async with redis.pipeline(transaction=True) as pipeline:
            put_in_place(pipeline, prefix, "")
            await pipeline.execute()
        assert await read_map(redis, prefix) == {}
