"""A neighbour in Redis that writes names of tenants without end: they are neither kept, nor looked at all the time."""

from __future__ import annotations

import asyncio

import httpx
import redis

from bridge.broker.addresses import Addresses
from bridge.tenants.table import MOST_OTHERS
from tests.bridge.broker.parts import until, until_true
from tests.end_to_end.configuration import QUIET
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import TENANTS
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims

CONFIG = "drain_seconds = 1.0\n" + QUIET + TENANTS
NAMES = 50_000
NAMES_AT_ONCE = 5_000
MANY_SECONDS = 40.0
MOST_KEPT = MOST_OTHERS + 10
"""Those that are configured are kept besides."""


def write_names(bridge: Attacked, redis_url: str) -> None:
    addresses = Addresses(bridge.environment()["BRIDGE_PREFIX"])
    with redis.Redis.from_url(redis_url) as neighbour:
        for start in range(0, NAMES, NAMES_AT_ONCE):
            names = [f"t{number}" for number in range(start, start + NAMES_AT_ONCE)]
            with neighbour.pipeline(transaction=False) as pipeline:
                pipeline.hset(addresses.tenants, mapping=dict.fromkeys(names, 1))
                for name in names:
                    pipeline.hset(addresses.tenant(name), "version", 1)
                pipeline.execute()


async def kept(bridge: Attacked) -> int:
    """How many tenants it knows."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{bridge.url}/metrics")).text
    return sum(line.startswith("bridge_tenant_share_percent{") for line in text.splitlines())


async def until_so_many_are_kept(bridge: Attacked, most: int) -> None:
    async def that_many() -> bool:
        return await kept(bridge) >= most

    await until_true(that_many, MANY_SECONDS)


async def test_names_without_end_are_kept_up_to_a_bound_and_hold_up_no_end(
    attacked: StartAttacked, redis_url: str
) -> None:
    """While they are read the victims talk as ever."""
    bridge = attacked(config=CONFIG)
    write_names(bridge, redis_url)
    async with victims(bridge) as talking:
        await talking.talk_during(until_so_many_are_kept(bridge, MOST_OTHERS))
    await until(lambda: "tenants_left_out" in bridge.log, MANY_SECONDS)
    assert MOST_OTHERS <= await kept(bridge) < MOST_KEPT
    assert await asyncio.to_thread(bridge.terminate) == 0
    assert "ended_by_force" not in bridge.log


async def test_where_all_are_read_more_are_kept(attacked: StartAttacked, redis_url: str) -> None:
    bridge = attacked(config=CONFIG, without="bound of names")
    write_names(bridge, redis_url)
    await until_so_many_are_kept(bridge, MOST_KEPT)
