"""The way to Redis: receipts in order, one write a turn, and an answer within two seconds whatever Redis does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bridge.broker import bus as bus_module
from bridge.broker.bus import Bus
from bridge.broker.commands import pack
from bridge.broker.link import pool
from tests.bridge.broker.parts import ANSWER_SECONDS, Answers, running, running_bus, until
from tests.conftest import StartRedis
from tests.ports import free_port
from tests.proxy import proxy_to
from tests.servers import RedisServer
from tests.stopwatch import Stopwatch

PROMISED_SECONDS = 2.0


@asynccontextmanager
async def listening(url: str, *channels: bytes) -> AsyncIterator[Any]:
    """Another service that listens."""
    async with Redis.from_url(url) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(*channels)
        for _ in channels:
            assert (await pubsub.get_message(timeout=ANSWER_SECONDS))["type"] == "subscribe"
        yield pubsub


async def everything_heard(pubsub: Any, quiet_seconds: float = 0.3) -> list[bytes]:
    """Until nothing more comes for a while."""
    heard = []
    while (said := await pubsub.get_message(timeout=quiet_seconds)) is not None:
        heard.append(said["data"])
    return heard


async def test_a_receipt_tells_how_many_heard_it_on_all_channels(redis_url: str, prefix: str) -> None:
    one, other, nobody = (f"{prefix}:{name}".encode() for name in ("one", "other", "nobody"))
    async with running_bus(redis_url) as bus, listening(redis_url, one, other), listening(redis_url, other):
        receipts = Answers()
        bus.publish([one], b"x", receipts)
        bus.publish([one, other], b"x", receipts)
        bus.publish([nobody], b"x", receipts)
        assert [await receipts.next() for _ in range(3)] == [1, 3, 0]
        assert (bus.published, bus.replies.failed) == (3, 0)


def note(order: list[int], number: int, _reply: Any) -> None:
    order.append(number)


async def test_receipts_and_replies_come_in_the_order_in_which_they_were_asked_for(redis_url: str, prefix: str) -> None:
    async with running_bus(redis_url) as bus:
        order: list[int] = []
        for number in range(300):
            done = partial(note, order, number)
            if number % 3:
                bus.publish([prefix.encode()] * (number % 4 + 1), b"", done)
            else:
                bus.command(pack("PING"), done)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await bus.wait_until_answered()
        assert order == list(range(300))
        assert bus.reconnects == 0


async def test_what_is_said_on_no_channel_is_heard_by_nobody(redis_url: str, prefix: str) -> None:
    async with running_bus(redis_url) as bus:
        receipts = Answers()
        bus.publish([], b"x", receipts)
        bus.publish([prefix.encode()], b"x", receipts)
        assert [await receipts.next(), await receipts.next()] == [0, 0]
        assert bus.reconnects == 0


async def test_what_is_said_in_one_turn_of_the_loop_leaves_in_one_write(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_bus(redis_url) as bus:
        link = bus._keeper.link
        assert link is not None
        written: list[bytes] = []
        write = link.write

        def record(commands: bytes) -> None:
            written.append(commands)
            write(commands)

        monkeypatch.setattr(link, "write", record)
        receipts = Answers()
        for number in range(50):
            bus.publish([prefix.encode()], b"%d" % number, receipts)
        assert written == []
        for _ in range(50):
            await receipts.next()
        said = [commands.count(prefix.encode()) for commands in written]
        assert [count for count in said if count] == [50]  # a write of none is the link's own question, now and then


async def test_what_is_said_is_heard_in_order(redis_url: str, prefix: str) -> None:
    channel = prefix.encode()
    async with running_bus(redis_url) as bus, listening(redis_url, channel) as pubsub:
        for number in range(500):
            bus.publish([channel], b"%d" % number, Answers())
            if number % 7 == 0:
                await asyncio.sleep(0)
        assert await everything_heard(pubsub) == [b"%d" % number for number in range(500)]


async def test_an_error_of_redis_is_the_answer_to_a_command(redis_url: str, prefix: str) -> None:
    async with running_bus(redis_url) as bus:
        answers = Answers()
        bus.command(pack("SADD", f"{prefix}:s", "x"), answers)
        bus.command(pack("GET", f"{prefix}:s"), answers)
        assert await answers.next() == 1
        assert "WRONGTYPE" in str(await answers.next())


async def test_without_redis_it_is_down_at_once_but_never_within_the_call() -> None:
    bus = Bus(pool(f"redis://127.0.0.1:{free_port()}/0", "test-bus"), b"nobody")
    async with running(bus):
        assert not await bus.wait_until_up(0.1)
        assert not bus.is_up
        receipts = Answers()
        bus.publish([b"c"], b"x", receipts)
        assert receipts.empty()
        await asyncio.sleep(0)
        assert receipts.all() == [None]
        assert bus.replies.failed == 1


async def test_waiting_for_answers_ends_also_without_redis() -> None:
    bus = Bus(pool(f"redis://127.0.0.1:{free_port()}/0", "test-bus"), b"nobody")
    await asyncio.wait_for(bus.wait_until_answered(), ANSWER_SECONDS)


async def test_a_frozen_redis_is_down_within_two_seconds_and_nothing_is_said_twice(redis_server: StartRedis) -> None:
    server = redis_server()
    async with running_bus(server.url) as bus, listening(server.url, b"c") as pubsub:
        receipts = Answers()
        server.freeze()
        stopwatch = Stopwatch()
        for number in range(100):
            bus.publish([b"c"], b"%d" % number, receipts)
        assert {await receipts.next() for _ in range(100)} == {None}
        assert stopwatch.least_seconds < PROMISED_SECONDS
        assert not bus.is_up
        stopwatch = Stopwatch()
        bus.publish([b"c"], b"while frozen", receipts)
        assert await receipts.next() is None
        assert stopwatch.least_seconds < 0.1

        server.thaw()
        assert await until(lambda: bus.is_up) < PROMISED_SECONDS
        bus.publish([b"c"], b"after", receipts)
        assert await receipts.next() == 1
        heard = await everything_heard(pubsub)
        assert len(heard) == len(set(heard))
        assert heard[-1] == b"after"
        assert b"while frozen" not in heard
        assert heard[:-1] == sorted(heard[:-1], key=int)


async def test_a_black_hole_is_down_within_two_seconds(redis_server: StartRedis) -> None:
    async with proxy_to(redis_server().port) as proxy, running_bus(proxy.url) as bus:
        proxy.swallow()
        receipts = Answers()
        stopwatch = Stopwatch()
        bus.publish([b"c"], b"x", receipts)
        assert await receipts.next() is None
        assert stopwatch.least_seconds < PROMISED_SECONDS


async def test_a_redis_that_dies_while_nobody_speaks_is_noticed(redis_server: StartRedis) -> None:
    server = redis_server()
    async with running_bus(server.url) as bus:
        server.freeze()
        assert await until(lambda: not bus.is_up) < PROMISED_SECONDS


async def test_what_waits_when_the_link_ends_is_answered_at_once(redis_server: StartRedis) -> None:
    async with proxy_to(redis_server().port) as proxy, running_bus(proxy.url) as bus:
        proxy.down.hold()
        receipts = Answers()
        bus.publish([b"c"], b"x", receipts)
        await asyncio.sleep(0)
        proxy.reset()
        stopwatch = Stopwatch()
        assert await receipts.next() is None
        assert stopwatch.least_seconds < 0.5
        proxy.down.let_go()
        await until(lambda: bus.is_up)
        assert bus.reconnects == 1


async def test_it_calls_whoever_waits_each_time_that_redis_is_back(redis_server: StartRedis) -> None:
    server = redis_server()
    bus = Bus(pool(server.url, "test-bus"), b"nobody")
    calls: list[bool] = []
    bus.back.add(lambda: calls.append(bus.is_up))
    async with running(bus):
        await until(lambda: calls == [True])
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        await until(lambda: calls == [True, True])


@pytest.fixture
def frozen(redis_server: StartRedis) -> RedisServer:
    return redis_server()


async def test_beyond_its_bound_of_commands_it_is_down_at_once(
    frozen: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "MAX_WAITING_COMMANDS", 10)
    async with running_bus(frozen.url) as bus:
        await bus.wait_until_answered()
        frozen.freeze()
        within, beyond = Answers(), Answers()
        for number in range(30):
            bus.publish([b"c"], b"x", within if number < 10 else beyond)
        await asyncio.sleep(0)
        assert beyond.all() == [None] * 20
        assert within.empty()
        assert [await within.next() for _ in range(10)] == [None] * 10


async def test_beyond_its_bound_of_bytes_it_is_down_at_once(
    frozen: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "MAX_WAITING_BYTES", 1_000_000)
    async with running_bus(frozen.url) as bus:
        await bus.wait_until_answered()
        frozen.freeze()
        within, beyond = Answers(), Answers()
        bus.publish([b"c"], b"x" * 16_000_000, within)
        await asyncio.sleep(0)
        bus.publish([b"c"], b"y", beyond)
        await asyncio.sleep(0)
        assert beyond.all() == [None]
        assert await within.next() is None


async def test_what_redis_refuses_is_down_until_redis_takes_it_again(redis_server: StartRedis) -> None:
    """Also when nobody speaks meanwhile: a bridge that is not ready is sent nobody who could."""
    server = redis_server()
    async with running_bus(server.url) as bus:
        receipts = Answers()
        server.execute("ACL", "SETUSER", "default", "resetchannels")
        bus.publish([b"c"], b"x", receipts)
        assert await receipts.next() is None
        await until(lambda: not bus.is_up)
        assert str(bus.refusal).startswith("NOPERM")
        assert bus.is_linked
        assert bus.replies.failed == 1
        server.execute("ACL", "SETUSER", "default", "allchannels")
        assert await until(lambda: bus.is_up) < PROMISED_SECONDS
        assert bus.reconnects == 1  # the link that was refused; none was used before Redis took a write on it


async def test_one_channel_that_redis_refuses_takes_nobody_else_down(redis_server: StartRedis) -> None:
    server = redis_server()
    async with running_bus(server.url, probe=b"ours:probe") as bus:
        receipts = Answers()
        server.execute("ACL", "SETUSER", "default", "resetchannels", "&ours:*")
        bus.publish([b"ours:1", b"theirs:1"], b"x", receipts)
        bus.publish([b"ours:1"], b"x", receipts)
        assert [await receipts.next(), await receipts.next()] == [None, 0]
        assert bus.is_up


async def test_a_receipt_that_fails_keeps_nobody_waiting(redis_url: str, prefix: str) -> None:
    async with running_bus(redis_url) as bus:
        receipts = Answers()

        def failing(_: Any) -> None:
            raise ZeroDivisionError

        with capture_logs() as logs:
            bus.publish([prefix.encode()], b"1", failing)
            bus.publish([prefix.encode()], b"2", receipts)
            assert await receipts.next() == 0
        assert (bus.replies.errors, bus.reconnects) == (1, 0)
        assert [line["event"] for line in logs] == ["receipt_failed"]


async def test_a_receipt_that_fails_when_the_link_ends_keeps_nobody_waiting(redis_server: StartRedis) -> None:
    async with proxy_to(redis_server().port) as proxy, running_bus(proxy.url) as bus:
        proxy.down.hold()
        receipts = Answers()

        def failing(_: Any) -> None:
            raise ZeroDivisionError

        with capture_logs():
            bus.publish([b"c"], b"1", failing)
            bus.publish([b"c"], b"2", receipts)
            await asyncio.sleep(0)
            proxy.reset()
            assert await receipts.next() is None
        proxy.down.let_go()
        await until(lambda: bus.is_up)


async def test_an_answer_that_nobody_asked_for_ends_the_link(redis_server: StartRedis) -> None:
    """Or every answer after it would be taken for another's."""
    async with proxy_to(redis_server().port) as proxy, running_bus(proxy.url) as bus:
        await bus.wait_until_answered()
        proxy.inject(b"+OK\r\n" * 9)
        await until(lambda: bus.reconnects)
        await until(lambda: bus.is_up)
        receipts = Answers()
        bus.publish([b"c"], b"x", receipts)
        assert await receipts.next() == 0


async def test_a_stall_of_our_own_is_not_the_death_of_redis(redis_url: str, prefix: str) -> None:
    """The answers lie unread: they are read before anybody is judged."""
    async with running_bus(redis_url) as bus:
        receipts = Answers()
        bus.publish([prefix.encode()], b"x", receipts)
        await asyncio.sleep(0)
        time.sleep(bus_module.ANSWER_SECONDS + 0.3)  # noqa: ASYNC251 - the stall
        assert await receipts.next() == 0
        await bus.wait_until_answered()
        assert bus.reconnects == 0


async def test_an_answer_that_comes_while_it_is_judged_is_not_too_late(
    redis_server: StartRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(bus_module, "GRACE_SECONDS", 2.0)
    async with proxy_to(redis_server().port) as proxy, running_bus(proxy.url) as bus:
        proxy.down.hold()
        receipts = Answers()
        bus.publish([b"c"], b"x", receipts)
        await asyncio.sleep(0.8)
        proxy.down.let_go()
        assert await receipts.next() == 0
        await asyncio.sleep(2)
        assert bus.reconnects == 0


async def test_what_is_said_on_a_link_that_just_ended_is_down(redis_url: str) -> None:
    async with running_bus(redis_url) as bus:
        receipts = Answers()
        link = bus._keeper.link
        assert link is not None
        link.end()
        bus.publish([b"c"], b"x", receipts)
        assert await receipts.next() is None
        await until(lambda: bus.is_up)


async def test_time_in_which_this_process_was_late_is_not_held_against_redis(redis_server: StartRedis) -> None:
    async with proxy_to(redis_server().port) as proxy, running_bus(proxy.url) as bus:
        proxy.down.hold()
        receipts = Answers()
        bus.publish([b"c"], b"x", receipts)
        for _ in range(8):
            time.sleep(0.25)  # noqa: ASYNC251 - that is what a late loop is
            await asyncio.sleep(0)
        assert bus.is_up
        proxy.down.let_go()
        assert await receipts.next() == 0
        assert bus.reconnects == 0
