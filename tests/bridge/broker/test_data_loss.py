"""Whether Redis still holds what it held: two processes that look at one mark, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.data_loss import DataLossMark, lost_at, read_lost_at
from tests.bridge.broker.parts import Answers, running_bus, until
from tests.conftest import StartRedis

FIRST, SECOND = "2026-01-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"


class Observer:
    """The memory of one process, and what it was told: nothing, or whether it is the one to say so."""

    def __init__(self, bus: Bus, addresses: Addresses) -> None:
        self.now = FIRST
        self.told = Answers()
        self.memory = DataLossMark(bus, addresses, lambda: self.now)
        self.memory.lost.add(self.told)


class Two:
    """Two processes on one Redis."""

    def __init__(self, bus: Bus, addresses: Addresses, redis: Redis) -> None:
        self.bus = bus
        self.addresses = addresses
        self.redis = redis
        self.one, self.other = self.observer(), self.observer()

    def observer(self) -> Observer:
        return Observer(self.bus, self.addresses)

    async def look(self, *observers: Observer) -> list[list[bool]]:
        """What each was told meanwhile."""
        looking = observers or (self.one, self.other)
        for each in looking:
            each.memory.look()
        for _ in range(2):  # once more where Redis had to be sent the script
            await self.bus.wait_until_answered()
        return [each.told.all() for each in looking]

    async def lose(self) -> None:
        """As a Redis that came back empty: nothing of ours is there."""
        await self.redis.delete(self.addresses.memory, self.addresses.loss)

    async def lost_at(self) -> str | None:
        value: bytes | None = await self.redis.get(self.addresses.loss)  # type: ignore[assignment]
        return lost_at(value)


@asynccontextmanager
async def two_processes(url: str, prefix: str) -> AsyncIterator[Two]:
    async with running_bus(url) as bus, Redis.from_url(url) as redis:
        yield Two(bus, Addresses(prefix), redis)


@pytest.fixture
async def two(redis_url: str, prefix: str) -> AsyncIterator[Two]:
    async with two_processes(redis_url, prefix) as processes:
        yield processes


async def test_nothing_is_lost_while_the_mark_stays(two: Two) -> None:
    for _ in range(3):
        assert await two.look() == [[], []]
    assert await two.lost_at() is None
    assert (two.one.memory.losses, two.other.memory.losses) == (0, 0)


async def test_when_everything_is_lost_all_are_told_and_one_has_to_say_it(two: Two) -> None:
    await two.look()
    await two.lose()
    told = await two.look()
    assert sorted(told) == [[False], [True]]
    assert await two.lost_at() == FIRST
    assert (two.one.memory.losses, two.other.memory.losses) == (1, 1)
    assert await two.look() == [[], []]


async def test_another_loss_is_said_again(two: Two) -> None:
    await two.look()
    for now in (FIRST, SECOND):
        two.one.now = two.other.now = now
        await two.lose()
        assert sorted(await two.look()) == [[False], [True]]
        assert await two.lost_at() == now


async def test_one_that_looks_much_later_is_told_and_need_not_say_it(two: Two) -> None:
    await two.look()
    await two.lose()
    assert await two.look(two.one) == [[True]]
    two.other.now = SECOND
    assert await two.look(two.other) == [[False]]
    assert await two.lost_at() == FIRST


async def test_whoever_starts_after_the_loss_lost_nothing_and_leaves_it_to_the_others_to_say(two: Two) -> None:
    await two.look()
    await two.lose()
    newcomer = two.observer()
    assert await two.look(newcomer) == [[]]
    assert sorted(await two.look()) == [[False], [True]]
    assert await two.look(newcomer) == [[]]


async def test_the_first_process_of_all_lost_nothing(two: Two) -> None:
    assert await two.look(two.one) == [[]]
    assert await two.lost_at() is None


async def test_while_redis_is_away_nothing_is_known_to_be_lost(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with two_processes(server.url, prefix) as two:
        await two.look()
        server.kill()
        two.one.memory.look()
        await until(lambda: not two.bus.is_up)
        assert two.one.told.all() == []
        server.start()
        await until(lambda: two.bus.is_up)
        assert sorted(await two.look()) == [[False], [True]]


@pytest.mark.parametrize(
    ("value", "moment"),
    [(None, None), (b"", None), (b"mark", None), (f"mark {FIRST}".encode(), FIRST), (b"\xff ", None)],
)
def test_when_it_was_lost_is_read_with_suspicion(value: bytes | None, moment: str | None) -> None:
    assert lost_at(value) == moment


@pytest.mark.parametrize("kind", ["string", "list"])
async def test_what_somebody_else_wrote_there_says_nothing_and_is_overwritten(two: Two, kind: str) -> None:
    await two.look()
    for key in (two.addresses.memory, two.addresses.loss):
        await two.redis.delete(key)
        if kind == "string":
            await two.redis.set(key, b"\xff" + key[-4:].encode())
        else:
            await two.redis.lpush(key, "x")
    assert await read_lost_at(two.redis, two.addresses) is None
    assert sorted(await two.look()) == [[False], [True]]
    assert await read_lost_at(two.redis, two.addresses) == FIRST


@pytest.mark.parametrize("value", [b"m", b"m soon", b"m 2026-01-01", b"m \xff", b"m 0001-01-01T00:00:00", b""])
def test_what_is_no_time_is_no_loss(value: bytes) -> None:
    assert lost_at(value) is None
