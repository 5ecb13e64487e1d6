"""How Redis is asked for what may wait: by few connections, and never by whoever was cancelled, at whatever moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker.reading import MOST_CONNECTIONS, MOST_IDLE, Reading, reading
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.conftest import StartRedis
from tests.stopwatch import Stopwatch

Ask = Callable[[Redis], Awaitable[object]]
TIMES = 200


async def in_a_pipeline(redis: Redis) -> None:
    async with redis.pipeline() as pipeline:
        pipeline.get("nothing")
        await pipeline.execute()


async def watching(redis: Redis) -> None:
    async with redis.pipeline() as pipeline:
        await pipeline.watch("nothing")
        await pipeline.get("nothing")


async def by_itself(redis: Redis) -> None:
    await redis.get("nothing")


async def goes_on(redis: Redis, ask: Ask) -> int:
    """Cancelled at many moments of a loop: how often it went on after that."""
    after = 0

    async def loop() -> None:
        nonlocal after
        for _ in range(TIMES):
            with suppress(Exception):
                await ask(redis)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                after += 1
                return

    for number in range(TIMES):
        looping = asyncio.create_task(loop())
        await asyncio.sleep(number / 100_000)
        looping.cancel()
        await asyncio.wait({looping}, timeout=ANSWER_SECONDS)
        assert looping.done()
    return after


@pytest.mark.parametrize("ask", [by_itself, in_a_pipeline, watching])
async def test_whoever_is_cancelled_asks_no_more(redis_url: str, ask: Ask) -> None:
    async with Reading.from_url(redis_url, socket_timeout=2.0) as redis:
        assert await goes_on(redis, ask) == 0


async def test_with_the_librarys_own_client_he_does(redis_url: str) -> None:
    """Else `Reading` would not be needed any more."""
    async with Redis.from_url(redis_url, socket_timeout=2.0) as redis:
        assert await goes_on(redis, by_itself) > 0


async def test_a_redis_that_is_frozen_holds_nobody(redis_server: StartRedis) -> None:
    server = redis_server()
    async with Reading.from_url(server.url, socket_timeout=30.0) as redis:
        await redis.ping()
        server.freeze()
        asking = asyncio.create_task(by_itself(redis))
        await asyncio.sleep(0.05)
        stopwatch = Stopwatch()
        asking.cancel()
        await asyncio.wait({asking})
        assert stopwatch.least_seconds < 1.0


async def test_a_burst_is_served_by_few_connections_of_which_fewer_stay(redis_url: str) -> None:
    async with reading(redis_url) as redis:
        most = 0

        async def ask() -> None:
            nonlocal most
            await redis.blpop(["nothing-is-ever-here"], timeout=0.05)
            pool: Any = redis.connection_pool
            most = max(most, len(pool._in_use_connections) + len(pool._available_connections))

        await asyncio.gather(*(ask() for _ in range(5 * MOST_CONNECTIONS)))
        assert most == MOST_CONNECTIONS
        assert open_connections(redis) == MOST_IDLE


def open_connections(redis: Any) -> int:
    """As many as have a socket."""
    pool = redis.connection_pool
    assert not pool._in_use_connections
    return sum(connection.is_connected for connection in pool._available_connections)


async def test_one_after_the_other_use_the_same(redis_url: str) -> None:
    async with reading(redis_url) as redis:
        ids = {await redis.client_id() for _ in range(20)}
    assert len(ids) == 1
