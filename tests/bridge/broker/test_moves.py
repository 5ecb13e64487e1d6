"""A process that comes from another Redis server notes it there, once, and each other process reads that, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.broker import moves as module
from bridge.broker.bus import Bus
from bridge.broker.link import pool
from bridge.broker.moves import Missed, Moves
from tests.bridge.broker.parts import ANSWER_SECONDS, Answers, running, until
from tests.conftest import StartRedis
from tests.proxy import Proxy, proxy_to
from tests.servers import RedisServer

PROBE = b"t:{probe}"
KEY = "t:{probe}:moves"
SLACK_SECONDS = 0.1
"""Redis counts in milliseconds, and a reply takes its time."""


class Process:
    """The bus of one process, and its moves."""

    def __init__(self, url: str) -> None:
        self.bus = Bus(pool(url, "test-moves"), PROBE)
        self.now = asyncio.get_running_loop().time
        self.moves = Moves(self.bus, PROBE, self.now)

    async def ask(self, certain_until: float | None = None) -> Missed:
        answers = Answers()
        self.moves.ask(self.now() if certain_until is None else certain_until, answers)
        missed: Missed = await answers.next()
        return missed

    async def until_linked_again(self, links: int = 1) -> None:
        await until(lambda: self.bus.reconnects >= links and self.bus.is_up)
        await self.bus.wait_until_answered()


@asynccontextmanager
async def process(url: str) -> AsyncIterator[Process]:
    one = Process(url)
    async with running(one.bus):
        assert await one.bus.wait_until_up(ANSWER_SECONDS)
        yield one


async def move(one: Process, proxy: Proxy, server: RedisServer) -> None:
    links = one.bus.reconnects
    proxy.lead_to(server.port)
    one.bus.leave("moved by the test")
    await one.until_linked_again(links + 1)


@pytest.fixture
def servers(redis_server: StartRedis) -> list[RedisServer]:
    return [redis_server(), redis_server()]


async def test_a_link_that_is_made_anew_to_the_same_server_is_no_move(servers: list[RedisServer]) -> None:
    async with process(servers[0].url) as one:
        assert await one.ask() == []
        one.bus.leave("ended by the test")
        await one.until_linked_again()
        assert await one.ask() == []
        assert servers[0].execute("DBSIZE") == 0


async def test_who_comes_from_another_server_missed_something_itself_and_others_read_it_once(
    servers: list[RedisServer],
) -> None:
    old, new = servers
    async with proxy_to(old.port) as proxy, process(proxy.url) as mover, process(new.url) as other:
        assert await mover.ask() == await other.ask() == []
        certain_until = mover.now()
        await move(mover, proxy, new)
        [(since, _)] = await mover.ask(certain_until)
        assert since == certain_until
        assert await mover.ask() == []
        [(others_since, others_until)] = await other.ask()
        assert others_since <= certain_until + SLACK_SECONDS
        assert mover.bus.lost_at - SLACK_SECONDS <= others_until <= other.now()
        assert await other.ask() == []


async def test_the_note_waits_for_who_is_without_a_link_when_it_is_written(servers: list[RedisServer]) -> None:
    old, new = servers
    async with (
        proxy_to(old.port) as proxy,
        proxy_to(new.port) as others_proxy,
        process(proxy.url) as mover,
        process(others_proxy.url) as other,
    ):
        others_proxy.swallow()
        other.bus.leave("ended by the test")
        await move(mover, proxy, new)
        assert len(await mover.ask()) == 1
        others_proxy.up.swallows = others_proxy.down.swallows = False
        await other.until_linked_again()
        assert len(await other.ask()) == 1


async def test_who_was_elsewhere_between_two_looks_has_moved_too(servers: list[RedisServer]) -> None:
    """There and back before anything was asked: what it said there was not heard here."""
    old, new = servers
    async with proxy_to(old.port) as proxy, process(proxy.url) as mover, process(old.url) as other:
        assert await mover.ask() == await other.ask() == []
        await move(mover, proxy, new)
        await move(mover, proxy, old)
        assert len(await mover.ask()) == 1
        assert len(await other.ask()) == 1


async def test_who_comes_back_was_away_since_it_left(servers: list[RedisServer]) -> None:
    """The other process was at the old server all the while, and the mover was certain that it was right elsewhere."""
    old, new = servers
    async with proxy_to(old.port) as proxy, process(proxy.url) as mover, process(old.url) as other:
        assert await mover.ask() == await other.ask() == []
        left_at = mover.now()
        await move(mover, proxy, new)
        await mover.ask(left_at)
        await asyncio.sleep(2 * SLACK_SECONDS)
        await move(mover, proxy, old)
        [(since, _)] = await mover.ask()
        assert since == left_at
        [(others_since, _)] = await other.ask()
        assert others_since <= left_at + SLACK_SECONDS


async def test_the_first_that_comes_missed_what_the_last_one_said_all_the_while(servers: list[RedisServer]) -> None:
    """The last one was certain, where it was, until a moment ago."""
    old, new = servers
    async with (
        proxy_to(old.port) as early,
        proxy_to(old.port) as late,
        process(early.url) as first,
        process(late.url) as last,
    ):
        assert await first.ask() == await last.ask() == []
        left_at = first.now()
        await move(first, early, new)
        await first.ask(left_at)
        await asyncio.sleep(2 * SLACK_SECONDS)
        await move(last, late, new)
        certain_until = last.now()
        missed = await last.ask(certain_until)
        assert min(since for since, _ in missed) <= left_at + SLACK_SECONDS
        [(since, _)] = await first.ask()
        assert since == left_at


async def test_a_process_born_after_a_move_missed_nothing(servers: list[RedisServer]) -> None:
    old, new = servers
    async with proxy_to(old.port) as proxy, process(proxy.url) as mover:
        await mover.ask()
        await move(mover, proxy, new)
        await mover.ask()
        await asyncio.sleep(2 * SLACK_SECONDS)
        async with process(new.url) as other:
            assert await other.ask() == []


async def test_where_redis_does_not_say_who_it_is_each_parting_is_a_move(servers: list[RedisServer]) -> None:
    for server in servers:
        server.execute("ACL", "SETUSER", "default", "-info")
    async with process(servers[0].url) as one:
        await one.ask()
        one.bus.leave("ended by the test")
        await one.until_linked_again()
        assert await one.ask() == []
        one.moves.leave()
        one.bus.leave("ended by the test")
        await one.until_linked_again(2)
        assert len(await one.ask()) == 1


async def test_whoever_may_not_run_scripts_still_knows_of_its_own_moves(servers: list[RedisServer]) -> None:
    old, new = servers
    new.execute("ACL", "SETUSER", "default", "-evalsha")
    async with proxy_to(old.port) as proxy, process(proxy.url) as one:
        await one.ask()
        await move(one, proxy, new)
        assert len(await one.ask()) == 1
        assert await one.ask() == []


async def test_notes_expire_and_are_bounded(servers: list[RedisServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MOVES", 2)
    old, new = servers
    async with proxy_to(old.port) as proxy, process(proxy.url) as one:
        await one.ask()
        for server in (new, old, new, old, new, old, new):
            await move(one, proxy, server)
            await one.ask()
        assert new.execute("ZCARD", KEY) == 2
        assert 0 < int(str(new.execute("PTTL", KEY))) <= module.APART_SECONDS * 1_000
        assert len(one.moves._read) == 4


@pytest.mark.parametrize(
    "command", [("SET", KEY, "x"), ("ZADD", KEY, "1e300", "no note"), ("ZADD", KEY, "inf", "ab 5")]
)
async def test_what_others_write_there_harms_nobody(servers: list[RedisServer], command: tuple[str, ...]) -> None:
    servers[0].execute(*command)
    async with process(servers[0].url) as one:
        await one.ask()
        assert await one.ask() == []
