"""The way from Redis: a channel is heard when that is confirmed, and a gap is announced once."""

from __future__ import annotations

import asyncio
import pickle
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import redis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bridge.broker import subscriber as subscriber_module
from bridge.broker.channels import CHANNELS_PER_COMMAND
from bridge.broker.link import pool
from bridge.broker.message import BusMessage
from bridge.broker.subscriber import Subscriber
from tests.bridge.broker.parts import (
    ANSWER_SECONDS,
    ARRIVED_AT,
    MAX_BYTES,
    Ear,
    message,
    running,
    running_subscriber,
    until,
)
from tests.conftest import StartRedis
from tests.proxy import proxy_to
from tests.servers import RedisServer
from v3.messages import Line


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Redis]:
    """Another service that speaks."""
    async with Redis.from_url(redis_url) as redis:
        yield redis


async def heard_by(publisher: Redis, *channels: bytes) -> list[int]:
    """How many subscribers Redis counts on each channel."""
    return [number for _, number in await publisher.pubsub_numsub(*channels)]


def listeners(server: RedisServer, *channels: bytes) -> list[int]:
    counted: Any = server.execute("PUBSUB", "NUMSUB", *channels)  # type: ignore[arg-type]
    return list(counted[1::2])


async def test_a_channel_is_heard_from_the_moment_that_hold_returns(
    redis_url: str, prefix: str, ear: Ear, publisher: Redis
) -> None:
    async with running_subscriber(redis_url, ear) as subscriber:
        for number in range(20):
            channel = f"{prefix}:{number}".encode()
            await subscriber.hold([channel])
            assert await publisher.publish(channel, message(str(number))) == 1
            assert await ear.texts(1) == [(channel, str(number))]


async def test_hold_waits_for_the_confirmation(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        server.freeze()
        holding = asyncio.create_task(subscriber.hold([b"a", b"b"]))
        await asyncio.sleep(0.1)
        assert not holding.done()
        server.thaw()
        await asyncio.wait_for(holding, ANSWER_SECONDS)
        assert listeners(server, b"a", b"b") == [1, 1]


async def test_a_channel_that_is_held_already_takes_no_second_trip(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold([b"a"])
        server.freeze()
        await asyncio.wait_for(subscriber.hold([b"a"]), ANSWER_SECONDS)
        server.thaw()


async def test_the_last_release_unsubscribes(redis_url: str, prefix: str, ear: Ear, publisher: Redis) -> None:
    channel = prefix.encode()
    async with running_subscriber(redis_url, ear) as subscriber:
        await asyncio.gather(subscriber.hold([channel]), subscriber.hold([channel]))
        subscriber.release([channel])
        await subscriber.hold([channel + b":fence"])
        assert await heard_by(publisher, channel) == [1]
        subscriber.release([channel])
        assert subscriber.channels == 1
        await subscriber.hold([channel + b":second fence"])
        assert await heard_by(publisher, channel) == [0]


async def test_a_confirmation_of_an_earlier_subscription_is_not_taken_for_the_last_ones(
    redis_server: StartRedis, ear: Ear
) -> None:
    """SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE: the first confirmation arrives while the other two are on their way."""
    server = redis_server()
    async with proxy_to(server.port) as proxy, running_subscriber(proxy.url, ear) as subscriber:
        proxy.down.hold()
        first = asyncio.create_task(subscriber.hold([b"c"]))
        await until(lambda: listeners(server, b"c") == [1])
        proxy.up.hold()
        subscriber.release([b"c"])
        second = asyncio.create_task(subscriber.hold([b"c"]))
        server.execute("PUBLISH", "c", message("after the first confirmation").decode())
        proxy.down.let_go()
        await ear.texts(1)
        assert not second.done()
        proxy.up.let_go()
        await asyncio.wait_for(second, ANSWER_SECONDS)
        first.cancel()
        server.execute("PUBLISH", "c", message("after the second").decode())
        assert await ear.texts(1) == [(b"c", "after the second")]


async def test_holds_and_releases_in_any_order_end_where_they_should(
    redis_url: str, prefix: str, ear: Ear, publisher: Redis
) -> None:
    channels = [f"{prefix}:{number}".encode() for number in range(10)]
    held: Counter[bytes] = Counter()
    async with running_subscriber(redis_url, ear) as subscriber:
        holding = set()
        for _ in range(2_000):
            channel = random.choice(channels)
            if held[channel] and random.random() < 0.5:
                held[channel] -= 1
                subscriber.release([channel])
            else:
                held[channel] += 1
                holding.add(asyncio.create_task(subscriber.hold([channel])))
                await asyncio.sleep(0)
            if random.random() < 0.05:
                await asyncio.sleep(0.001)
        wanted = [channel for channel in channels if held[channel]]
        for channel in wanted:
            await asyncio.wait_for(subscriber.hold([channel]), ANSWER_SECONDS)
        await subscriber.hold([prefix.encode()])
        assert await heard_by(publisher, *channels) == [int(channel in wanted) for channel in channels]
        for task in holding:
            task.cancel()


async def test_a_hold_that_was_given_up_leaves_nothing(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        server.freeze()
        holding = asyncio.create_task(subscriber.hold([b"c"]))
        await asyncio.sleep(0.05)
        holding.cancel()
        await asyncio.wait([holding])
        subscriber.release([b"c"])
        server.thaw()
        await subscriber.hold([b"fence"])
        assert listeners(server, b"c") == [0]
        assert subscriber.channels == 1
        await subscriber.hold([b"c"])
        assert listeners(server, b"c") == [1]


async def test_a_hold_while_redis_is_away_returns_when_it_is_back(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        server.kill()
        await until(lambda: not subscriber.is_up)
        holding = asyncio.create_task(subscriber.hold([b"c"]))
        released = asyncio.create_task(subscriber.hold([b"released"]))
        await asyncio.sleep(0)
        subscriber.release([b"released"])
        server.start()
        await asyncio.wait_for(holding, ANSWER_SECONDS)
        assert listeners(server, b"c", b"released") == [1, 0]
        released.cancel()


async def test_after_a_loss_all_channels_are_subscribed_again_in_chunks(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    channels = [b"c%d" % number for number in range(2 * CHANNELS_PER_COMMAND + 1)]
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold(channels)
        server.execute("CONFIG", "RESETSTAT")
        server.execute("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: not subscriber.is_up)
        assert await until(lambda: subscriber.is_up) < 1
        assert listeners(server, *channels) == [1] * len(channels)
        stats: Any = server.execute("INFO", "commandstats")
        assert stats["cmdstat_subscribe"]["calls"] == 3
        assert subscriber.reconnects == 1


async def test_a_gap_is_announced_once_when_everything_is_heard_again(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold([b"c"])
        assert ear.gaps.empty()
        up = time.monotonic()
        server.kill()
        await until(lambda: not subscriber.is_up)
        away = time.monotonic()
        server.start()
        gap = await ear.gaps.next()
        assert time.monotonic() - away <= gap < time.monotonic() - up + 2
        assert subscriber.is_up
        assert listeners(server, b"c") == [1]
        server.execute("PUBLISH", "c", message("after").decode())
        assert await ear.texts(1) == [(b"c", "after")]
        assert ear.gaps.empty()
        assert subscriber.gaps == 1


async def test_a_loss_before_everything_was_heard_again_is_the_same_gap(redis_server: StartRedis, ear: Ear) -> None:
    """Redis lets us in and refuses the channel, again and again."""
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold([b"c"])
        begun_at = time.monotonic()
        server.execute("ACL", "SETUSER", "default", "resetchannels")  # also ends whoever listens
        await until(lambda: subscriber.reconnects >= 3)
        assert not subscriber.is_up
        await until(lambda: "NOPERM" in str(subscriber.trouble))
        assert ear.gaps.empty()
        away_seconds = time.monotonic() - begun_at
        server.execute("ACL", "SETUSER", "default", "allchannels")
        assert await ear.gaps.next() >= away_seconds
        await subscriber.hold([b"other"])
        assert ear.gaps.empty()
        assert subscriber.gaps == 1


async def test_a_subscriber_that_is_not_let_in_says_why(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold([b"c"])
        assert subscriber.trouble is None
        server.execute("CONFIG", "SET", "requirepass", "another")
        with redis.Redis(port=server.port, password="another") as owner:
            owner.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await until(lambda: "Authentication required" in str(subscriber.trouble))
            owner.config_set("requirepass", "")
        await until(lambda: subscriber.is_up)
        assert subscriber.trouble is None


async def test_a_gap_is_announced_also_where_nothing_is_wanted(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        server.execute("CLIENT", "KILL", "TYPE", "normal")
        await ear.gaps.next()
        await until(lambda: subscriber.is_up)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds of silence after which the subscriber gives its link up, shorter than in life."""
    monkeypatch.setattr(subscriber_module, "PING_SECONDS", 0.1)
    monkeypatch.setattr(subscriber_module, "SILENCE_SECONDS", 0.5)
    return 0.5


async def test_a_black_hole_is_noticed_by_its_silence(redis_server: StartRedis, ear: Ear, impatient: float) -> None:
    server = redis_server()
    async with proxy_to(server.port) as proxy, running_subscriber(proxy.url, ear) as subscriber:
        await subscriber.hold([b"c"])
        await asyncio.sleep(3 * impatient)
        assert subscriber.is_up
        proxy.swallow()
        assert await until(lambda: not subscriber.is_up) < impatient + 0.5
        proxy.up.swallows = proxy.down.swallows = False
        assert await ear.gaps.next() >= impatient
        assert listeners(server, b"c") == [1]


async def test_a_stall_of_our_own_is_not_a_silence_of_redis(redis_url: str, ear: Ear, impatient: float) -> None:
    async with running_subscriber(redis_url, ear) as subscriber:
        await asyncio.sleep(0.2)
        time.sleep(impatient + 0.5)  # noqa: ASYNC251 - the stall
        await asyncio.sleep(0.3)
        assert subscriber.reconnects == 0


REJECTED = {
    "not UTF-8": (b"\xff\xfe", "invalid_message"),
    "not JSON": (b"hello", "invalid_message"),
    "empty": (b"", "invalid_message"),
    "a pickle": (pickle.dumps({"msg": "hi"}), "invalid_message"),
    "an unknown version": (message("x", version="4"), "invalid_message"),
    "no message": (b'{"version":"3"}', "invalid_message"),
    "V2 text that is not UTF-8": (message("x") + b"\n\xff", "invalid_message"),
    "too big": (message("x" * MAX_BYTES), "too_big"),
}


@pytest.mark.parametrize("rejected", REJECTED)
async def test_what_is_no_message_is_counted_and_the_pump_lives(
    redis_url: str, prefix: str, ear: Ear, publisher: Redis, rejected: str
) -> None:
    data, reason = REJECTED[rejected]
    channel = prefix.encode()
    async with running_subscriber(redis_url, ear) as subscriber:
        await subscriber.hold([channel])
        await publisher.publish(channel, data)
        await publisher.publish(channel, message("good"))
        assert await ear.texts(1) == [(channel, "good")]
        assert subscriber.rejected == {reason: 1}
        assert (subscriber.received, subscriber.reconnects) == (2, 0)


async def test_a_batch_that_cannot_be_delivered_is_counted_and_the_pump_lives(
    redis_url: str, prefix: str, publisher: Redis
) -> None:
    ear = Ear()

    def deliver(channel: bytes, batch: Sequence[BusMessage]) -> None:
        if batch[0].heard.msg == "bad":
            raise ZeroDivisionError
        ear.deliver(channel, batch)

    subscriber = Subscriber(pool(redis_url, "test"), deliver, ear.gaps, lambda: ARRIVED_AT, MAX_BYTES)
    with capture_logs() as logs:
        async with running(subscriber):
            await until(lambda: subscriber.is_up)
            await subscriber.hold([prefix.encode()])
            await publisher.publish(prefix, message("bad"))
            await until(lambda: subscriber.received)
            await publisher.publish(prefix, message("good"))
            assert await ear.texts(1) == [(prefix.encode(), "good")]
            assert subscriber.rejected == {"undeliverable": 1}
            assert subscriber.reconnects == 0
    assert [line["event"] for line in logs] == ["batch_undeliverable"]


async def test_what_comes_together_is_handed_on_by_channel_and_in_order(redis_server: StartRedis, ear: Ear) -> None:
    server = redis_server()
    async with proxy_to(server.port) as proxy, running_subscriber(proxy.url, ear) as subscriber:
        await subscriber.hold([b"a", b"b"])
        proxy.down.hold()
        for number in range(40):
            server.execute("PUBLISH", "ab"[number % 3 == 0], message(str(number)).decode())
        proxy.down.let_go()
        heard = await ear.texts(40)
        for channel, remainders in ((b"a", (1, 2)), (b"b", (0,))):
            expected = [str(number) for number in range(40) if number % 3 in remainders]
            assert [text for where, text in heard if where == channel] == expected


async def test_the_same_bytes_on_a_second_channel_are_read_once(
    redis_url: str, prefix: str, ear: Ear, publisher: Redis
) -> None:
    one, two = f"{prefix}:1".encode(), f"{prefix}:2".encode()
    async with running_subscriber(redis_url, ear) as subscriber:
        await subscriber.hold([one, two])
        data = message("x")
        await publisher.publish(one, data)
        await publisher.publish(two, data)
        (_, first), (_, second) = await ear.messages(2)
        assert first is second


async def test_what_this_process_said_itself_is_not_read_when_it_comes_back(
    redis_url: str, prefix: str, ear: Ear, publisher: Redis
) -> None:
    async with running_subscriber(redis_url, ear) as subscriber:
        await subscriber.hold([prefix.encode()])
        expected = BusMessage(b"never read", None, Line("3", "msg", "group"))
        subscriber.expect(expected.line, expected)
        await publisher.publish(prefix, b"never read")
        ((_, heard),) = await ear.messages(1)
        assert heard is expected
        assert subscriber.rejected == {}


async def test_what_another_service_says_without_a_time_gets_one(
    redis_url: str, prefix: str, ear: Ear, publisher: Redis
) -> None:
    async with running_subscriber(redis_url, ear) as subscriber:
        await subscriber.hold([prefix.encode()])
        await publisher.publish(prefix, b'{"version":"3","msg_type":"msg","target":"group","msg":"bare"}')
        ((_, bare),) = await ear.messages(1)
        assert bare.heard.sent_at == ARRIVED_AT


async def test_what_is_wanted_before_the_first_link_is_no_gap(ear: Ear, redis_url: str) -> None:
    subscriber = Subscriber(pool(redis_url, "test"), ear.deliver, ear.gaps, lambda: ARRIVED_AT, MAX_BYTES)
    holding = asyncio.create_task(subscriber.hold([b"c"]))
    await asyncio.sleep(0)
    assert (subscriber.is_up, subscriber.channels) == (False, 1)
    async with running(subscriber):
        await asyncio.wait_for(holding, ANSWER_SECONDS)
        assert subscriber.gaps == 0
        subscriber.release([b"c"])


async def test_an_error_in_answer_to_a_ping_is_an_answer_and_the_link_lives(
    redis_server: StartRedis, ear: Ear, impatient: float
) -> None:
    """As while a server is loading, or has no master. The error is told, and nobody hears of a gap."""
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold([b"c"])
        server.execute("ACL", "SETUSER", "default", "-ping")
        await until(lambda: subscriber.trouble is not None)
        assert str(subscriber.trouble).startswith("NOPERM")
        await asyncio.sleep(3 * impatient)
        server.execute("PUBLISH", "c", message("still heard").decode())
        assert await ear.texts(1) == [(b"c", "still heard")]
        assert (subscriber.is_up, subscriber.reconnects, subscriber.gaps) == (True, 0, 0)
        server.execute("ACL", "SETUSER", "default", "+ping")
        await until(lambda: subscriber.trouble is None)


async def test_a_gap_begins_when_the_last_answered_ping_was_asked_and_not_when_something_was_last_read(
    redis_server: StartRedis, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies between may be unread: Redis had it, and this process stood still."""
    monkeypatch.setattr(subscriber_module, "PING_SECONDS", 60.0)  # none is asked here
    server = redis_server()
    async with running_subscriber(server.url, ear) as subscriber:
        await subscriber.hold([b"c"])
        await asyncio.sleep(0.5)  # since then nothing is certain
        server.execute("PUBLISH", "c", message("heard").decode())
        await ear.texts(1)
        server.execute("CLIENT", "KILL", "TYPE", "pubsub")
        assert await ear.gaps.next() >= 0.5
