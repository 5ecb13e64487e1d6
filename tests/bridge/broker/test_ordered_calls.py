"""Calls of a script are carried out in their order or not at all, whatever Redis forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bridge.broker.bus import Bus
from bridge.broker.ordered_calls import OrderedCalls
from bridge.broker.scripts import Script
from tests.bridge.broker.parts import Answers, running_bus, until
from tests.conftest import StartRedis
from tests.proxy import proxy_to
from tests.servers import RedisServer

NOTE = Script("redis.call('RPUSH', KEYS[1], ARGV[1]) return tonumber(ARGV[1])")


@pytest.fixture
def server(redis_server: StartRedis) -> RedisServer:
    return redis_server()


class Calling:
    """The calls of a script, and what was answered."""

    def __init__(self, bus: Bus) -> None:
        self._calls = OrderedCalls(bus, NOTE)
        self._bus = bus
        self.answers = Answers()

    async def begin(self) -> None:
        """From the next link on, the script is known."""
        links = self._bus.reconnects
        self._bus.leave("to begin anew")
        await until(lambda: self._bus.reconnects > links and self._bus.is_up)
        await self._bus.wait_until_answered()

    def call(self, *numbers: int) -> None:
        for number in numbers:
            self._calls.run([b"l"], [number], self.answers)

    async def answered(self, number: int) -> list[Any]:
        return [await self.answers.next() for _ in range(number)]


def noted(server: RedisServer) -> Sequence[int]:
    found: Any = server.execute("LRANGE", "l", 0, -1)
    return list(map(int, found))


def called(server: RedisServer) -> dict[str, int]:
    stats: Any = server.execute("INFO", "commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items() if "eval" in name}


async def test_a_script_is_loaded_with_the_link_and_called_by_its_digest_alone(server: RedisServer) -> None:
    async with running_bus(server.url) as bus:
        calling = Calling(bus)
        await calling.begin()
        calling.call(1, 2, 3)
        assert await calling.answered(3) == [1, 2, 3]
        assert called(server) == {"evalsha": 3}


async def test_what_redis_has_forgotten_is_told_to_it_again_and_the_order_kept(server: RedisServer) -> None:
    async with running_bus(server.url) as bus:
        calling = Calling(bus)
        await calling.begin()
        for start in range(0, 200, 10):
            if start % 40 == 0:
                await asyncio.to_thread(server.execute, "SCRIPT", "FLUSH")
            calling.call(*range(start, start + 10))
            await asyncio.sleep(0)
        assert await calling.answered(200) == list(range(200))
        assert noted(server) == list(range(200))


async def test_calls_that_are_made_while_others_are_repeated_come_after_them(server: RedisServer) -> None:
    async with proxy_to(server.port) as proxy, running_bus(proxy.url) as bus:
        calling = Calling(bus)
        await calling.begin()
        server.execute("SCRIPT", "FLUSH")
        calling.call(1, 2)
        await asyncio.sleep(0.05)
        calling.call(3)
        proxy.down.hold()
        calling.call(4)
        proxy.down.let_go()
        assert await calling.answered(4) == [1, 2, 3, 4]
        assert noted(server) == [1, 2, 3, 4]


async def test_what_would_come_after_a_later_one_is_not_carried_out(server: RedisServer) -> None:
    """Another process tells Redis the script between two of our calls."""
    async with proxy_to(server.port) as proxy, running_bus(proxy.url) as bus:
        calling = Calling(bus)
        await calling.begin()
        server.execute("SCRIPT", "FLUSH")
        before = called(server).get("evalsha", 0)
        proxy.down.hold()
        calling.call(1)
        await until(lambda: called(server).get("evalsha", 0) > before)
        server.execute("SCRIPT", "LOAD", NOTE.source)
        calling.call(2)
        await until(lambda: noted(server) == [2])
        proxy.down.let_go()
        assert await calling.answered(2) == [None, 2]
        calling.call(3)
        assert await calling.answered(1) == [3]
        assert noted(server) == [2, 3]


async def test_an_error_of_the_script_is_its_answer_and_disturbs_no_other(server: RedisServer) -> None:
    async with running_bus(server.url) as bus:
        calling = Calling(bus)
        await calling.begin()
        server.execute("SET", "l", "x")
        calling.call(1)
        assert isinstance(await calling.answers.next(), Exception)
        server.execute("DEL", "l")
        calling.call(2)
        assert await calling.answered(1) == [2]


async def test_when_the_link_is_lost_each_call_is_answered_once(server: RedisServer) -> None:
    async with proxy_to(server.port) as proxy, running_bus(proxy.url) as bus:
        calling = Calling(bus)
        await calling.begin()
        server.execute("SCRIPT", "FLUSH")
        proxy.down.hold()
        calling.call(1, 2)
        await asyncio.sleep(0)
        calling.call(3)
        proxy.reset()
        assert await calling.answered(3) == [None] * 3
        proxy.down.let_go()
        await until(lambda: bus.is_up)
        calling.call(4)
        assert await calling.answered(1) == [4]
        assert calling.answers.empty()


async def test_without_a_link_nothing_is_called(server: RedisServer) -> None:
    async with running_bus(server.url) as bus:
        calling = Calling(bus)
        server.kill()
        await until(lambda: not bus.is_up)
        calling.call(1, 2)
        assert await calling.answered(2) == [None, None]
