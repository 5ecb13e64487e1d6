"""Both links and the address lead to one server, or the links are made anew.

Whole processes are in `tests/end_to_end/test_failover.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.broker import same_server as module
from bridge.broker.bus import Bus
from bridge.broker.link import pool
from bridge.broker.same_server import SameServer
from bridge.broker.subscriber import Subscriber
from tests.bridge.broker.parts import ARRIVED_AT, MAX_BYTES, Answers, Ear, running, until
from tests.conftest import StartRedis
from tests.proxy import proxy_to
from tests.servers import RedisServer

PROBE = b"t:{probe}"


@dataclass(frozen=True)
class Side:
    """One process's links, their comparison, and what it announced."""

    bus: Bus
    subscriber: Subscriber
    same_server: SameServer
    ear: Ear


@asynccontextmanager
async def side(url: str) -> AsyncIterator[Side]:
    links, ear = pool(url, "test-side"), Ear()
    bus = Bus(links, PROBE)
    subscriber = Subscriber(links, ear.deliver, ear.gaps, lambda: ARRIVED_AT, MAX_BYTES, PROBE)
    one = Side(bus, subscriber, SameServer(links, bus, subscriber, PROBE), ear)
    async with running(bus, subscriber, one.same_server):
        await until(one.same_server._do_agree)
        yield one


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BY_ADDRESS_SECONDS", 0.05)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)


@pytest.fixture
def servers(redis_server: StartRedis) -> list[RedisServer]:
    return [redis_server(), redis_server()]


def readiness(one: Side) -> tuple[bool, bool]:
    return one.bus.is_up, one.subscriber.is_up


def subscribers(server: RedisServer) -> int:
    return len(str(server.execute("CLIENT", "LIST", "TYPE", "pubsub")).splitlines())


async def until_at(server: RedisServer, *sides: Side) -> None:
    await until(lambda: subscribers(server) == len(sides) and all(one.same_server._do_agree() for one in sides))


async def test_where_all_is_well_nothing_happens(servers: list[RedisServer]) -> None:
    async with side(servers[0].url) as one:
        await asyncio.sleep(0.5)  # several looks
        assert (one.same_server.parted, one.subscriber.gaps) == (0, 0)
        assert (one.bus.reconnects, one.subscriber.reconnects) == (0, 0)
        assert (one.subscriber.received, one.subscriber.rejected) == (0, {})
        assert servers[0].execute("DBSIZE") == 0


@pytest.mark.parametrize("kind", ["pubsub", "normal", "neither"])
async def test_whatever_leads_elsewhere_the_whole_process_follows(servers: list[RedisServer], kind: str) -> None:
    old, new = servers
    async with proxy_to(old.port) as proxy, side(proxy.url) as one:
        await one.subscriber.hold([b"c"])
        proxy.lead_to(new.port)
        if kind != "neither":
            await asyncio.to_thread(old.execute, "CLIENT", "KILL", "TYPE", kind)
        await until_at(new, one)
        assert await one.ear.gaps.next() > 0
        receipts = Answers()
        one.bus.publish([b"c"], b'{"version":"3","msg_type":"msg","target":"group","msg":"x"}', receipts)
        assert await receipts.next() == 1
        assert await one.ear.texts(1) == [(b"c", "x")]
        assert one.subscriber.gaps == 1


async def test_an_address_at_which_nobody_takes_writes_is_told_in_the_log_once(servers: list[RedisServer]) -> None:
    old, new = servers
    new.execute("REPLICAOF", "127.0.0.1", 1)
    async with proxy_to(old.port) as proxy:
        with capture_logs() as logs:
            async with side(proxy.url) as one:
                proxy.lead_to(new.port)
                await until(lambda: logs)
                await asyncio.sleep(0.3)  # several looks
                assert (one.same_server.parted, one.bus.is_up) == (0, True)
    assert [line["event"] for line in logs] == ["redis_address_refuses"]


async def test_a_refusal_is_one_gap_when_it_is_over_and_the_link_that_hears_lives(servers: list[RedisServer]) -> None:
    server = servers[0]
    async with side(server.url) as one:
        server.execute("CONFIG", "SET", "maxmemory", 1)
        await until(lambda: not one.bus.is_up)
        assert readiness(one) == (False, False)
        await asyncio.sleep(0.5)  # several attempts
        assert one.subscriber.gaps == 0
        server.execute("CONFIG", "SET", "maxmemory", 0)
        assert await one.ear.gaps.next() > 0.5
        assert readiness(one) == (True, True)
        assert (one.subscriber.gaps, one.subscriber.reconnects, one.bus.reconnects) == (1, 0, 1)


async def test_who_comes_from_another_server_tells_the_others_since_when_it_was_apart(
    servers: list[RedisServer],
) -> None:
    """The first comes at once; the second is apart for a while, as where DNS is late, and both announce that."""
    old, new = servers
    async with (
        proxy_to(old.port) as early,
        proxy_to(old.port) as late,
        side(early.url) as first,
        side(late.url) as second,
    ):
        early.lead_to(new.port)
        await until_at(new, first)
        await first.ear.gaps.next()
        await asyncio.sleep(1.0)  # so long they are apart
        late.lead_to(new.port)
        await until_at(new, first, second)
        assert await second.ear.gaps.next() > 1.0
        assert await first.ear.gaps.next() > 1.0
        await asyncio.sleep(0.2)
        assert (first.subscriber.gaps, second.subscriber.gaps) == (2, 1)


async def test_who_has_announced_it_already_does_not_again(servers: list[RedisServer]) -> None:
    async with side(servers[0].url) as one:
        servers[0].execute("CLIENT", "KILL", "TYPE", "pubsub")
        seconds = await one.ear.gaps.next()
        now = asyncio.get_running_loop().time()
        one.same_server._others_moved([(now - seconds, now - 10.0)])
        assert one.subscriber.gaps == 1
        one.same_server._others_moved([(now - seconds - 5.0, now - 10.0)])
        assert one.subscriber.gaps == 2


async def test_who_loses_both_links_and_finds_another_server_tells_the_others(servers: list[RedisServer]) -> None:
    """No link ever saw that the servers differ."""
    old, new = servers
    async with proxy_to(old.port) as late, side(late.url) as last, side(new.url) as first:
        late.lead_to(new.port)
        late.reset()
        await until_at(new, first, last)
        await last.ear.gaps.next()
        await first.ear.gaps.next()
        assert last.same_server.parted == 0


async def test_who_is_between_two_links_when_another_comes_is_told_all_the_same(servers: list[RedisServer]) -> None:
    old, new = servers
    async with proxy_to(old.port) as late, proxy_to(new.port) as way, side(late.url) as last, side(way.url) as first:
        now = asyncio.get_running_loop().time
        apart_at = now()
        await asyncio.sleep(3.0)  # so long they do not hear each other
        way.swallow()
        way.reset()
        await until(lambda: readiness(first) == (False, False))
        late.lead_to(new.port)
        await last.ear.gaps.next()  # not before its note is there; that it listens somewhere was so all the while
        way.up.swallows = way.down.swallows = False
        came_at = now()
        await until_at(new, first, last)
        assert await first.ear.gaps.next() > came_at - apart_at - 1.0
        assert first.subscriber.gaps == 1


async def test_refusals_that_come_and_go_are_one_gap_when_they_are_over(
    servers: list[RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As near the limit of the server's memory. The first is announced, since nobody knows what follows."""
    monkeypatch.setattr(module, "STEADY_SECONDS", 5.0)
    server = servers[0]
    async with side(server.url) as one:
        for _ in range(4):
            server.execute("CONFIG", "SET", "maxmemory", 1)
            await until(lambda: not one.bus.is_up)
            server.execute("CONFIG", "SET", "maxmemory", 0)
            await until(lambda: one.bus.is_up)
        await one.ear.gaps.next()
        assert await one.ear.gaps.next() > 1.0
        assert (one.subscriber.gaps, one.bus.reconnects) == (2, 4)


async def test_a_user_who_may_do_little_follows_all_the_same(servers: list[RedisServer]) -> None:
    """What only makes the announcement exact is done without."""
    old, new = servers
    for server in servers:
        server.execute("ACL", "SETUSER", "default", "-pttl", "-set", "-client|kill", "-client|info")
    async with proxy_to(old.port) as proxy, side(proxy.url) as one:
        proxy.lead_to(new.port)
        await until_at(new, one)
        assert await one.ear.gaps.next() > 0


async def test_a_full_disk_is_one_gap_when_it_is_over(redis_server: StartRedis, tmp_path: Path) -> None:
    server = redis_server("--enable-protected-configs", "yes", "--save", "3600 1")
    folder = tmp_path / "full"
    folder.mkdir()
    async with side(server.url) as one:
        server.execute("CONFIG", "SET", "dir", str(folder))
        folder.rmdir()
        server.execute("SET", "x", "y")
        server.execute("BGSAVE")
        await until(lambda: not one.bus.is_up)
        assert "MISCONF" in str(one.bus.refusal)
        await until(lambda: one.subscriber.trouble is not None)
        assert (one.subscriber.gaps, one.subscriber.reconnects) == (0, 0)
        server.execute("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        await one.ear.gaps.next()
        await until(lambda: one.subscriber.trouble is None)
        assert (one.subscriber.gaps, one.subscriber.reconnects) == (1, 0)
