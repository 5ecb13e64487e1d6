"""Cleaning up after one dead process, whatever stands where it left word, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker import sweep as module
from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.sweep import Sweep
from tests.bridge.broker.parts import Answers, until
from tests.bridge.broker.people import GROUP, TENANT, Process, running_process

DEAD = "dead"
HOLDER = "c{}:dead:v3:1767225600000000"


@asynccontextmanager
async def sweeping(url: str, prefix: str) -> AsyncIterator[tuple[Process, Sweep, Answers]]:
    async with running_process(url, prefix, "p1") as process:
        done = Answers()
        yield process, Sweep(process.bus, process.addresses, process.presence, DEAD, done), done


async def hold(redis: Redis, addresses: Addresses, groups: int, holders: int = 1) -> None:
    """As a process that died with so many groups, in each so many clients."""
    for number in range(groups):
        clients = [f"{number}-{each}" for each in range(holders)]
        await redis.sadd(addresses.held_by(DEAD), f"{TENANT}:g{number}")
        await redis.zadd(addresses.presence(TENANT, f"g{number}"), {f"c{client}": 9e12 for client in clients})
        await redis.zadd(addresses.holders(TENANT, f"g{number}"), {HOLDER.format(client): 0 for client in clients})


def counted(process: Process) -> list[int]:
    """How many commands waited for their answers whenever another was given."""
    command, depths = process.bus.command, []

    def counting(packed: bytes, done: Callable[[Any], None]) -> None:
        depths.append(len(process.bus.replies))
        command(packed, done)

    process.bus.__dict__["command"] = counting
    return depths


async def test_groups_without_end_are_swept_some_at_a_time(
    redis_url: str, prefix: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUPS_AT_ONCE", 50)
    addresses = Addresses(prefix)
    await redis.sadd(addresses.held_by(DEAD), *(f"{TENANT}:g{number}" for number in range(2_000)))
    async with sweeping(redis_url, prefix) as (process, sweep, done):
        depths = counted(process)
        sweep.go_on()
        await done.next()
        assert len(depths) > 2_000
        assert max(depths) < 200
        await process.settled()
        assert await redis.scard(addresses.held_by(DEAD)) == 0


async def test_holders_without_end_are_looked_at_some_at_a_time(redis_url: str, prefix: str, redis: Redis) -> None:
    """Of whoever they are: those of the dead are found among them, and nobody else's is touched."""
    addresses = Addresses(prefix)
    await hold(redis, addresses, 1, 1_500)
    others: dict[str, float] = {f"x{number}:alive:v3:1": 0 for number in range(20_000)}
    await redis.zadd(addresses.holders(TENANT, "g0"), others)
    async with sweeping(redis_url, prefix) as (process, sweep, done):
        depths = counted(process)
        sweep.go_on()
        await done.next()
        assert len(depths) > 20_000 // module.HOLDERS_AT_ONCE / 2
        assert await redis.zcard(addresses.holders(TENANT, "g0")) == len(others)
        assert await redis.exists(addresses.presence(TENANT, "g0")) == 0


async def test_what_is_no_group_and_no_holder_costs_only_itself(redis_url: str, prefix: str, redis: Redis) -> None:
    addresses = Addresses(prefix)
    await hold(redis, addresses, 2)
    await redis.sadd(addresses.held_by(DEAD), "nocolon", b"\xff:\xff", ":", "", "a}b:c", "acme:")
    junk = (b"x:dead:", b"x:dead:v3", b"x:dead:v3:", b"x:dead:v3:soon", b"\xff:dead:v3:1", b"y:dead:v3:" + b"9" * 18)
    await redis.zadd(addresses.holders(TENANT, "g0"), dict.fromkeys(junk, 0))
    await redis.zadd(addresses.presence(TENANT, "g0"), dict.fromkeys((b"x", b"y", b"\xff"), 9e12))
    before = unreadable.skipped.copy()
    async with sweeping(redis_url, prefix) as (process, sweep, done):
        sweep.go_on()
        await done.next()
        await process.settled()
        assert process.bus.replies.errors == 0
        assert await redis.exists(addresses.held_by(DEAD)) == 0
        assert await redis.exists(addresses.holders(TENANT, "g0"), addresses.holders(TENANT, "g1")) == 0
    assert unreadable.skipped["group"] - before["group"] == 6
    assert unreadable.skipped["holder"] > before["holder"]


@pytest.mark.parametrize("kind", ["set", "string", "none"])
async def test_whatever_stands_where_the_dead_left_word_the_sweep_ends(
    redis_url: str, prefix: str, redis: Redis, kind: str
) -> None:
    held_by = Addresses(prefix).held_by(DEAD)
    if kind == "string":
        await redis.set(held_by, "something else")
    elif kind == "set":
        await redis.sadd(held_by, f"{TENANT}:{GROUP}")
    async with sweeping(redis_url, prefix) as (_, sweep, done):
        sweep.go_on()
        await done.next()


async def test_what_failed_ends_the_attempt_and_the_next_goes_on_from_there(
    redis_url: str, prefix: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUPS_AT_ONCE", 10)
    addresses = Addresses(prefix)
    await hold(redis, addresses, 600)
    async with sweeping(redis_url, prefix) as (process, sweep, done):
        command, given = process.bus.command, 0

        def failing(packed: bytes, answered: Callable[[Any], None]) -> None:
            nonlocal given
            given += 1
            if given == 300:
                answered(None)
            else:
                command(packed, answered)

        process.bus.__dict__["command"] = failing
        sweep.go_on()
        await until(lambda: given >= 300)
        await process.settled()
        assert done.empty()
        left = await redis.scard(addresses.held_by(DEAD))
        assert 0 < left < 600
        Sweep(process.bus, addresses, process.presence, DEAD, done).go_on()
        await done.next()
        assert [key async for key in redis.scan_iter(f"{prefix}:*:holders")] == []


async def test_a_claim_holds_for_as_long_as_the_sweep_goes_on(redis_url: str, prefix: str, redis: Redis) -> None:
    addresses = Addresses(prefix)
    await hold(redis, addresses, 1)
    async with sweeping(redis_url, prefix) as (_, sweep, done):
        seconds, _ = await redis.time()
        await redis.zadd(addresses.processes, {DEAD: seconds})
        sweep.go_on()
        await done.next()
        assert (await redis.zscore(addresses.processes, DEAD) or 0) >= seconds + module.SWEEP_SECONDS
