"""Who is not heard of is absent only where every living process listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis as redis_py
from redis.asyncio import Redis

from bridge.broker import attendance as module
from bridge.broker.addresses import Addresses
from bridge.broker.part import Broker
from tests.bridge.broker.parts import Answers, running, unheard_broker, until, until_true
from tests.conftest import StartRedis


@asynccontextmanager
async def listening(url: str, prefix: str) -> AsyncIterator[Broker]:
    """A whole process' links, open."""
    one = unheard_broker(url, prefix)
    async with one.redis, running(*one.tasks()):
        await until(lambda: one.bus.is_up and one.subscriber.is_up)
        await until_true(lambda: do_all_listen(one))
        yield one


async def do_all_listen(broker: Broker) -> bool:
    told = Answers()
    broker.attendance.ask(told)
    return bool(await told.next())


async def test_a_process_that_lives_and_does_not_listen_is_noticed(redis_url: str, prefix: str, redis: Redis) -> None:
    async with listening(redis_url, prefix) as one:
        await redis.zadd(Addresses(prefix).processes, {"deaf": 4_000_000_000})
        assert not await do_all_listen(one)
        await redis.zadd(Addresses(prefix).processes, {"deaf": 1})  # its lease is over: it is dead
        assert not await do_all_listen(one)  # what is asked about may have been said before
        await until_true(lambda: do_all_listen(one))


async def test_who_loses_the_link_that_hears_is_missed_until_it_is_back(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with listening(server.url, prefix) as one, listening(server.url, prefix) as other:
        assert await do_all_listen(one)
        server.execute("ACL", "SETUSER", "default", "-subscribe")
        server.execute("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: not other.subscriber.is_up)
        assert not await do_all_listen(one)
        server.execute("ACL", "SETUSER", "default", "+subscribe")
        await until(lambda: one.subscriber.is_up and other.subscriber.is_up)
        await until_true(lambda: do_all_listen(one))


async def test_who_is_seen_to_listen_hears_what_is_said_to_its_clients(redis_server: StartRedis, prefix: str) -> None:
    """Its own channel is the last that a process subscribes to."""
    server = redis_server()
    async with listening(server.url, prefix) as one:
        await one.subscriber.hold([b"c"])
        with redis_py.Redis.from_url(server.url) as client, client.monitor() as seen:
            await asyncio.to_thread(server.execute, "CLIENT", "KILL", "TYPE", "pubsub")
            await until(lambda: one.subscriber.is_up)
            asked: list[str] = []
            while not any("{probe}:of:" in command for command in asked):
                asked.append(await asyncio.to_thread(lambda: seen.next_command()["command"]))
        assert next(command for command in asked if command.startswith("SUBSCRIBE")) == "SUBSCRIBE c"


async def test_who_was_away_itself_does_not_know_for_a_while(redis_server: StartRedis, prefix: str) -> None:
    """The others may come later, also those whose leases are over by then."""
    server = redis_server()
    async with listening(server.url, prefix) as one:
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        await until(lambda: one.bus.reconnects == 1 and one.bus.is_up)
        assert one.leases.is_patient
        assert not await do_all_listen(one)


async def test_questions_of_one_turn_are_one(redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(redis_url, prefix) as one:
        asked, told, run = Answers(), Answers(), module.ATTENDANCE.run

        def counted(*question: Any) -> None:
            asked()
            run(*question)

        monkeypatch.setattr(module.ATTENDANCE, "run", counted)
        for _ in range(5):
            one.attendance.ask(told)
        assert [await told.next() for _ in range(5)] == [True] * 5
        assert len(asked.all()) == 1


async def test_where_redis_does_not_say_nobody_knows(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with listening(server.url, prefix) as one:
        server.kill()
        await until(lambda: not one.bus.is_up)
        assert not await do_all_listen(one)


async def test_who_may_not_ask_takes_it_that_all_listen(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with listening(server.url, prefix) as one:
        server.execute("ACL", "SETUSER", "default", "-@scripting")
        assert await do_all_listen(one)


async def test_nothing_of_it_is_a_message(redis_url: str, prefix: str) -> None:
    async with listening(redis_url, prefix) as one:
        await do_all_listen(one)
        await one.bus.wait_until_answered()
        assert (one.subscriber.received, one.subscriber.rejected) == (0, {})
