"""A process lives while it renews its lease; who died is cleaned up after once, and who comes back is welcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker import leases as leases_module
from bridge.broker import sweep as sweep_module
from bridge.broker.addresses import Addresses
from tests.bridge.broker.parts import until, until_true
from tests.bridge.broker.people import GROUP, Process, place, running_process, witnessing
from tests.conftest import StartRedis
from tests.proxy import proxy_to

ANN, BEN = place("ann"), place("ben")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lives are shorter here."""
    monkeypatch.setattr(leases_module, "LEASE_SECONDS", 1)
    monkeypatch.setattr(leases_module, "RENEWAL_SECONDS", 0.2)
    for module in (leases_module, sweep_module):
        monkeypatch.setattr(module, "SWEEP_SECONDS", 1)


@asynccontextmanager
async def dead_process(url: str, prefix: str, *clients: Any) -> AsyncIterator[Process]:
    """A process that died without goodbye, its clients still in Redis."""
    async with running_process(url, prefix, "dead") as process:
        await process.enter(*clients)
        await process.settled()
    yield process


async def is_forgotten(redis: Redis, prefix: str, process: str) -> bool:
    addresses = Addresses(prefix)
    return (
        await redis.zscore(addresses.processes, process) is None and await redis.exists(addresses.held_by(process)) == 0
    )


async def test_the_clients_of_a_dead_process_leave_once_whoever_notices(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    dead = [place(name, group=group) for name in ("ann", "ben") for group in (GROUP, "other")]
    async with (
        witnessing(redis_url, prefix) as witness,
        witnessing(redis_url, prefix, "other") as elsewhere,
        dead_process(redis_url, prefix, *dead, place("cat")),
        running_process(redis_url, prefix, "p1") as one,
        running_process(redis_url, prefix, "p2") as other,
    ):
        await one.enter(place("cat"))
        await until(lambda: one.leases.swept + other.leases.swept)
        await until_true(lambda: is_forgotten(redis, prefix, "dead"))
        left = sorted(event for event in await witness.heard_of(one, other) if event[0] == "LEAVE")
        assert left == [("LEAVE", "ann"), ("LEAVE", "ben")]
        assert sorted(await elsewhere.heard_of(one, other)) == [("LEAVE", "ann"), ("LEAVE", "ben")]
        assert await one.clients() == ["cat"]
        assert await one.clients("other") == []
        assert one.leases.swept + other.leases.swept == 1


async def test_a_process_that_only_slept_learns_it_and_its_clients_join(redis_url: str, prefix: str) -> None:
    async with (
        witnessing(redis_url, prefix) as witness,
        running_process(redis_url, prefix, "sleeper") as sleeper,
        running_process(redis_url, prefix, "awake") as awake,
    ):
        await sleeper.enter(ANN, BEN)
        assert [await witness.event(), await witness.event()] == [("JOIN", "ann"), ("JOIN", "ben")]
        fall_asleep(sleeper)
        assert {await witness.event(), await witness.event()} == {("LEAVE", "ann"), ("LEAVE", "ben")}
        assert await awake.clients() == []
        await sleeper.refresh(BEN)  # its heartbeat is earlier than the news
        wake(sleeper)
        sleeper.leases.renew()
        assert {await witness.event(), await witness.event()} == {("JOIN", "ann"), ("JOIN", "ben")}
        await until_true(lambda: are_there(awake, "ann", "ben"))  # another process's news may be a moment late
        assert await witness.heard_of(sleeper, awake) == []


async def are_there(process: Process, *clients: str) -> bool:
    return await process.clients() == list(clients)


def fall_asleep(process: Process) -> None:
    """It neither renews its lease nor looks after its entries."""
    process.leases.__dict__["renew"] = process.presence.__dict__["_verify"] = lambda: None


def wake(process: Process) -> None:
    del process.leases.__dict__["renew"], process.presence.__dict__["_verify"]


async def test_a_process_that_comes_back_while_it_is_cleaned_up_after_learns_it_too(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    """It renewed between claim and sweep: what was swept after that is written again."""
    async with (
        witnessing(redis_url, prefix) as witness,
        running_process(redis_url, prefix, "sleeper") as sleeper,
        running_process(redis_url, prefix, "awake") as awake,
    ):
        await sleeper.enter(ANN)
        assert await witness.event() == ("JOIN", "ann")
        await sleeper.settled()
        awake.leases._claimed("sleeper", 1)
        assert await witness.event() == ("LEAVE", "ann")
        assert await witness.event() == ("JOIN", "ann")
        assert await awake.clients() == ["ann"]
        assert await redis.smembers(Addresses(prefix).held_by("sleeper")) == {b"acme:team"}


async def test_a_sweep_that_failed_half_way_is_done_again(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with (
        dead_process(server.url, prefix, *(place("ann", group=f"g{number}") for number in range(3))),
        proxy_to(server.port) as proxy,
        running_process(proxy.url, prefix, "p1") as survivor,
    ):
        command = survivor.bus.command
        failed: list[bytes] = []

        def failing(packed: bytes, done: Any) -> None:
            if b"g1}" in packed and not failed:
                failed.append(packed)
                done(None)
            else:
                command(packed, done)

        survivor.bus.__dict__["command"] = failing
        await until(lambda: failed)
        await survivor.settled()
        assert server.execute("EXISTS", Addresses(prefix).held_by("dead")) == 1
        await until(lambda: survivor.leases.swept)
        await until(lambda: server.execute("EXISTS", Addresses(prefix).held_by("dead")) == 0)
        for number in range(3):
            assert await survivor.clients(f"g{number}") == []


async def test_a_process_that_died_without_clients_is_forgotten(redis_url: str, prefix: str, redis: Redis) -> None:
    async with dead_process(redis_url, prefix), running_process(redis_url, prefix, "p1"):
        await until_true(lambda: is_forgotten(redis, prefix, "dead"))


async def test_a_process_that_ended_politely_is_not_swept(redis_url: str, prefix: str, redis: Redis) -> None:
    async with running_process(redis_url, prefix, "polite") as polite:
        await polite.enter(ANN)
        await polite.leave(ANN)
        polite.leases.end()
        await polite.settled()
        assert await is_forgotten(redis, prefix, "polite")


async def test_a_process_that_gave_its_lease_back_takes_no_other(redis_url: str, prefix: str, redis: Redis) -> None:
    """Its sockets may be open for a while yet, when a client does not answer the close."""
    async with running_process(redis_url, prefix, "polite") as polite:
        polite.leases.end()
        polite.leases.renew()
        await polite.settled()
        assert await is_forgotten(redis, prefix, "polite")


async def test_what_a_flush_took_is_back_quietly_and_whoever_keeps_more_is_told(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with running_process(server.url, prefix) as process, witnessing(server.url, prefix) as witness:
        told: list[bool] = []
        await process.enter(ANN, BEN)
        assert len(await witness.heard_of(process)) == 2
        process.leases.forgotten.add(lambda: told.append(True))
        server.execute("FLUSHALL")
        await until(lambda: told)
        await process.settled()
        assert await process.clients() == ["ann", "ben"]
        assert await witness.heard_of(process) == []
        assert told == [True]


async def test_a_redis_that_came_back_empty_knows_everyone_at_once(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with running_process(server.url, prefix) as process:
        await process.enter(*(place(f"c{number}") for number in range(50)))
        server.restart()
        await until(lambda: process.bus.reconnects and process.bus.is_up)
        await process.settled()
        assert len(await process.clients()) == 50


@pytest.mark.parametrize("key", ["processes", "swept"])
async def test_a_key_of_another_type_is_mended(redis_url: str, prefix: str, redis: Redis, key: str) -> None:
    addresses = Addresses(prefix)
    async with running_process(redis_url, prefix, "p1") as process:
        await process.enter(ANN)
        spoiled = addresses.processes if key == "processes" else addresses.swept("p1")
        await redis.delete(spoiled)
        await redis.lpush(spoiled, "spoiled")
        process.leases.renew()
        await process.settled()
        assert await redis.zscore(addresses.processes, "p1") is not None
        assert process.leases.trouble is None
        assert await process.clients() == ["ann"]


async def test_trouble_says_why_the_lease_is_not_renewed(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with running_process(server.url, prefix) as process:
        await process.settled()
        assert process.leases.trouble is None
        server.execute("CONFIG", "SET", "min-replicas-to-write", 1)
        await until(lambda: "NOREPLICAS" in str(process.leases.trouble))
        server.execute("CONFIG", "SET", "min-replicas-to-write", 0)
        await until(lambda: process.leases.trouble is None)


async def test_a_redis_that_is_away_has_refused_nothing(redis_server: StartRedis, prefix: str) -> None:
    """That it is away, or why it takes nothing, the bus says."""
    server = redis_server()
    async with running_process(server.url, prefix) as process:
        await process.settled()
        server.execute("REPLICAOF", "127.0.0.1", 1)
        await until(lambda: not process.bus.is_up)
        process.leases.renew()
        await process.settled()
        assert process.leases.trouble is None


async def test_only_one_process_may_clean_up(redis_url: str, prefix: str, redis: Redis) -> None:
    async with dead_process(redis_url, prefix, ANN):
        await until_true(lambda: lease_is_over(redis, prefix, "dead"))
        async with running_process(redis_url, prefix, "p1") as one, running_process(redis_url, prefix, "p2") as other:
            await until(lambda: one.leases.swept + other.leases.swept)
            await asyncio.sleep(1.5)
            assert one.leases.swept + other.leases.swept == 1


async def lease_is_over(redis: Redis, prefix: str, process: str) -> bool:
    seconds, _ = await redis.time()
    return int(await redis.zscore(Addresses(prefix).processes, process) or 0) < seconds - 1


async def test_a_claim_of_the_living_is_refused(redis_url: str, prefix: str) -> None:
    async with running_process(redis_url, prefix, "p1") as process:
        await process.enter(ANN)
        process.leases._claim("p1")
        process.leases._claim("nobody")
        await process.settled()
        assert process.leases.swept == 0
        assert await process.clients() == ["ann"]


async def test_what_is_no_process_is_removed_and_keeps_nobody_from_being_swept(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    addresses = Addresses(prefix)
    async with dead_process(redis_url, prefix, ANN):
        await until_true(lambda: lease_is_over(redis, prefix, "dead"))
        junk = [b"", b"a b", *(b"\xff\xfe%d" % number for number in range(20))]
        await redis.zadd(addresses.processes, dict.fromkeys(junk, 2))
        async with running_process(redis_url, prefix, "p1") as process:
            await until(lambda: process.leases.swept)
            assert await process.clients() == []
            await until_true(lambda: only_is_left(redis, addresses, b"p1"))
            assert process.bus.replies.errors == 0


async def only_is_left(redis: Redis, addresses: Addresses, process: bytes) -> bool:
    return bool(await redis.zrange(addresses.processes, 0, -1) == [process])


async def test_after_an_outage_of_its_own_a_process_takes_nobody_for_dead_at_once(
    redis_server: StartRedis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All leases expired meanwhile: whoever is back first would say LEAVE of everybody's clients."""
    monkeypatch.setattr(leases_module, "PATIENCE_SECONDS", 1.0)
    server = redis_server()
    async with dead_process(server.url, prefix, ANN), running_process(server.url, prefix, "first") as first:
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        await until(lambda: first.bus.reconnects and first.bus.is_up)
        server.execute("ZADD", first.addresses.processes, 1, "dead")
        first.leases.renew()
        await first.settled()
        assert first.leases.swept == 0
        await asyncio.sleep(1.1)
        first.leases.renew()
        await until(lambda: first.leases.swept == 1)
