"""A watermark is told when everything up to it has been handed on, and is no lower than what was said before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker import watermarks as module
from bridge.broker.link import pool
from bridge.broker.subscriber import Subscriber
from bridge.broker.watermarks import Watermarks
from tests.bridge.broker.histories import Keeping, number_in
from tests.bridge.broker.parts import ARRIVED_AT, MAX_BYTES, Answers, Ear, message, running, until
from tests.conftest import StartRedis
from tests.proxy import proxy_to

HOUR, DAY = 3_600_000_000, 86_400_000_000


class Marking(Keeping):
    """A process that speaks and hears, and asks up to where it has heard."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url, prefix)
        self.ear = Ear()
        self.heard: list[int] = []
        deliver = lambda _channel, batch: self.heard.extend(one.number for one in batch)  # noqa: E731
        links, probe = pool(url, "test-marks"), self.addresses.probe
        self.subscriber = Subscriber(links, deliver, self.ear.gaps, lambda: ARRIVED_AT, MAX_BYTES, probe)
        self.subscriber.outage.is_trusted = lambda: self.subscriber.notices.canary is not None
        self.watermarks = Watermarks(self.bus, self.subscriber, self.addresses)
        self.reached = Answers()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.bus.run())
            tasks.create_task(self.subscriber.run())


@asynccontextmanager
async def marking(url: str, prefix: str) -> AsyncIterator[Marking]:
    process = Marking(url, prefix)
    async with running(process):
        await until(lambda: process.bus.is_up and process.subscriber.notices.canary)
        await process.subscriber.hold([process.group])
        yield process


def now() -> int:
    return time.time_ns() // 1_000


async def test_everything_that_was_said_before_is_handed_on_when_a_watermark_is_told(
    redis_url: str, prefix: str
) -> None:
    async with marking(redis_url, prefix) as process:
        said_before = []
        for number in range(50):
            process.history.publish([process.group], message(str(number)), lambda _heard: None)
            if number % 7 == 0:
                said_before.append(number + 1)
                process.watermarks.ask(lambda mark: process.reached((mark, len(process.heard))))
            if number % 5 == 0:
                await asyncio.sleep(0)
        marks = [await process.reached.next() for _ in said_before]
        await until(lambda: len(process.heard) == 50)
        for least, (mark, handed_on) in zip(said_before, marks, strict=True):
            assert handed_on >= least
            assert process.heard[least - 1] <= mark
            assert max(number for number in process.heard if number <= mark) <= process.heard[handed_on - 1]


async def test_what_is_asked_in_one_turn_costs_redis_one_mark(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with marking(server.url, prefix) as process:
        server.execute("CONFIG", "RESETSTAT")
        for _ in range(100):
            process.watermarks.ask(process.reached)
        assert len({await process.reached.next() for _ in range(100)}) == 1
        stats: Any = server.execute("INFO", "commandstats")
        assert stats["cmdstat_time"]["calls"] == 1


async def test_nothing_of_a_mark_is_heard(redis_url: str, prefix: str) -> None:
    async with marking(redis_url, prefix) as process:
        process.watermarks.ask(process.reached)
        await process.reached.next()
        assert (process.heard, process.subscriber.received, process.subscriber.rejected) == ([], 0, {})


async def test_where_numbers_are_ahead_of_the_clock_so_is_the_watermark(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    async with marking(redis_url, prefix) as process:
        await redis.set(process.addresses.last_number, now() + HOUR)
        await process.say("one")
        process.watermarks.ask(process.reached)
        assert await process.reached.next() == await number_in(redis, process.addresses.last_number)


@pytest.mark.parametrize("wild", ["x", "-1", "9" * 16, "9" * 30, "9" * 5_000])
async def test_a_last_number_that_cannot_be_ours_is_passed_over(
    redis_url: str, prefix: str, redis: Redis, wild: str
) -> None:
    async with marking(redis_url, prefix) as process:
        before = now()
        await redis.set(process.addresses.last_number, wild)
        process.watermarks.ask(process.reached)
        assert before <= await process.reached.next() <= now()


async def test_while_the_link_is_lost_it_is_not_known_and_then_it_is(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with proxy_to(server.port) as proxy, marking(server.url, prefix) as process:
        process.subscriber._keeper._links = pool(proxy.url, "test-marks")
        proxy.down.hold()
        server.execute("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: not process.subscriber.is_up)
        process.watermarks.ask(process.reached)
        await process.bus.wait_until_answered()
        assert process.reached.empty()
        proxy.down.let_go()
        assert await process.reached.next() > 0
        assert process.subscriber.is_up


async def test_a_mark_that_was_lost_with_the_link_is_said_again(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with proxy_to(server.port) as proxy, marking(proxy.url, prefix) as process:
        process.watermarks.ask(process.reached)
        process.bus.flush()
        process.subscriber.end_link()
        assert await process.reached.next() > 0
        assert process.reached.empty()


async def test_where_redis_does_not_answer_it_is_told_that_it_is_not_known(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with marking(server.url, prefix) as process:
        server.freeze()
        process.watermarks.ask(process.reached)
        assert await process.reached.next() == 0
        await until(lambda: not process.bus.is_up)
        process.watermarks.ask(process.reached)
        assert await process.reached.next() == 0
        server.thaw()


async def test_when_too_many_wait_it_is_told_at_once_that_it_is_not_known(
    redis_server: StartRedis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 2)
    server = redis_server()
    async with marking(server.url, prefix) as process:
        server.execute("ACL", "SETUSER", "default", "resetchannels", f"&{process.addresses.probe.decode()}")
        await until(lambda: not process.subscriber.is_up)
        for _ in range(3):
            process.watermarks.ask(process.reached)
            await process.bus.wait_until_answered()
        assert process.reached.all() == [0]
        server.execute("ACL", "SETUSER", "default", "allchannels")
        assert await process.reached.next() > 0
        assert await process.reached.next() > 0


async def test_a_mark_that_redis_refuses_is_not_waited_for(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with marking(server.url, prefix) as process:
        server.execute("ACL", "SETUSER", "default", "-time", "-publish")
        process.watermarks.ask(process.reached)
        assert await process.reached.next() == 0
        server.execute("ACL", "SETUSER", "default", "+time", "+publish")
