"""The numbers of all processes together, on a real Redis."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.link import pool
from bridge.records import cluster_counts
from bridge.records.cluster_counts import LIFETIME_SECONDS, MOST_BYTES, SAY_SECONDS, ClusterCounts, read_cluster_counts
from tests.bridge.admin.desk import Desk
from tests.bridge.broker.parts import ANSWER_SECONDS, running, running_bus, until_true


async def test_the_numbers_of_all_living_processes_add_up(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    bus = Bus(pool(redis_url, "test"), addresses.probe)
    running = asyncio.create_task(bus.run())
    assert await bus.wait_until_up(ANSWER_SECONDS)
    async with Redis.from_url(redis_url) as redis:
        assert await read_cluster_counts(redis, addresses) == {}
        await redis.zadd(addresses.processes, {"one": 1, "two": 1, "silent": 1})
        connections = {("acme", "v2"): 2, ("acme", "v3"): 1}
        ClusterCounts(
            bus, addresses, "one", lambda: {"connections": connections, "messages": {("acme", "v2"): 7}}
        ).say()
        ClusterCounts(bus, addresses, "two", lambda: {"connections": {("acme", "v3"): 4, ("other", "v2"): 1}}).say()
        ClusterCounts(bus, addresses, "forgotten", lambda: {"connections": {("acme", "v2"): 100}}).say()
        await bus.wait_until_answered()
        assert await read_cluster_counts(redis, addresses) == {
            "acme": {"connections": {"v2": 2, "v3": 5}, "messages": {"v2": 7}},
            "other": {"connections": {"v2": 1}},
        }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_where_something_else_stands_for_the_processes_nobody_is_counted(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    async with Redis.from_url(redis_url) as redis:
        await redis.set(addresses.processes, "something else")
        assert await read_cluster_counts(redis, addresses) == {}


async def test_whatever_nobody_said_is_zero(redis_url: str, prefix: str) -> None:
    addresses = Addresses(prefix)
    async with running_bus(redis_url) as bus, Redis.from_url(redis_url) as redis:
        await redis.zadd(addresses.processes, {"one": 1})
        ClusterCounts(bus, addresses, "one", lambda: {"connections": {("acme", "v2"): 2}}).say()
        await bus.wait_until_answered()
        found = await read_cluster_counts(redis, addresses)
    assert found["acme"]["connections"]["socketio"] == 0
    assert found["acme"]["messages"]["v2"] == 0
    assert found["nobody"]["connections"]["v3"] == 0


async def test_a_process_says_its_numbers_as_they_are_at_once_and_again_and_is_forgotten_if_it_stops(
    redis_url: str, prefix: str
) -> None:
    addresses, numbers = Addresses(prefix), {("acme", "v2"): 1}
    async with running_bus(redis_url) as bus, Redis.from_url(redis_url) as redis:
        await redis.zadd(addresses.processes, {"one": 1})

        async def has_said(number: int) -> bool:
            return (await read_cluster_counts(redis, addresses))["acme"]["connections"]["v2"] == number

        async with running(ClusterCounts(bus, addresses, "one", lambda: {"connections": numbers})):
            await until_true(lambda: has_said(1), 0.5)
            numbers["acme", "v2"] = 5
            await until_true(lambda: has_said(5), 2 * SAY_SECONDS)
            assert SAY_SECONDS < await redis.ttl(addresses.headcount("one")) <= LIFETIME_SECONDS


def of_v2(number: str) -> bytes:
    return b'{"acme":{"connections":{"v2":%b}}}' % number.encode()


UNREADABLE = {
    "garbage": b"garbage",
    "not UTF-8": b"\xff\xfe{",
    "a list": b"[]",
    "a number for a tenant": b'{"acme": 7}',
    "a number for what is counted": b'{"acme": {"connections": 7}}',
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 50_000,
    "a number of 5,000 digits": of_v2("9" * 5_000),
    "a number beyond any": of_v2("9" * 30),
    "infinite": of_v2("1e999"),
    "a fraction": of_v2("0.5"),
    "a text": of_v2('"7"'),
    "fewer than none": of_v2("-1"),
    "no JSON": of_v2("NaN"),
    "too long": of_v2("1" + " " * MOST_BYTES),
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_a_headcount_that_cannot_be_read_counts_nothing_and_the_others_do(desk: Desk, what: str) -> None:
    before = unreadable.skipped["headcount"]
    await desk.redis.zadd(desk.addresses.processes, {"one": 9e9, "two": 9e9})
    await desk.redis.set(desk.addresses.headcount("one"), UNREADABLE[what])
    await desk.redis.set(desk.addresses.headcount("two"), of_v2("3"))
    found = await read_cluster_counts(desk.redis, desk.addresses)
    assert found["acme"]["connections"]["v2"] == 3
    assert unreadable.skipped["headcount"] == before + 1


async def test_what_is_no_process_is_not_asked_for_its_headcount(desk: Desk) -> None:
    await desk.redis.zadd(desk.addresses.processes, dict.fromkeys((b"\xff\xfe", b"", b"a b", b"one"), 9e9))
    await desk.redis.set(desk.addresses.headcount("one"), of_v2("3"))
    assert (await read_cluster_counts(desk.redis, desk.addresses))["acme"]["connections"]["v2"] == 3


async def test_a_headcount_of_another_type_counts_nothing(desk: Desk) -> None:
    await desk.redis.zadd(desk.addresses.processes, {"one": 9e9})
    await desk.redis.lpush(desk.addresses.headcount("one"), "x")
    assert await read_cluster_counts(desk.redis, desk.addresses) == {}


async def test_of_processes_without_end_those_are_asked_that_live_the_longest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_counts, "MOST_PROCESSES", 2)
    await desk.redis.zadd(desk.addresses.processes, {"old": 1, "older": 0, "one": 9e9, "two": 9e9})
    for process in ("old", "older", "one", "two"):
        await desk.redis.set(desk.addresses.headcount(process), of_v2("3"))
    assert (await read_cluster_counts(desk.redis, desk.addresses))["acme"]["connections"]["v2"] == 6


def test_the_headcount_of_as_many_tenants_as_there_may_be_is_read() -> None:
    """The bound on structure is for what is nothing else."""
    tenants = {
        f"t{number}": {"connections": {"v2": 1, "v3": 1}, "messages": {"v2": 1, "v3": 1}} for number in range(3_000)
    }
    assert len(cluster_counts._read(json.dumps(tenants).encode())) == 4 * 3_000
