"""The continuity room, assembled: clients come back to a process, or to another, and miss nothing unannounced."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker import link
from bridge.broker.history import HistoryOptions
from bridge.continuity import part as module
from bridge.continuity import repair
from bridge.continuity.positions import OWN, UNKNOWN, positions_in
from bridge.runtime.process import Process as WholeProcess
from tests.bridge.assembled import assembled, numbers
from tests.bridge.broker.parts import until
from tests.bridge.continuity.processes import LINES, MOST_BYTES, Client, one_process, processes
from tests.conftest import StartRedis

NONE = HistoryOptions()


async def test_who_comes_back_to_another_process_hears_what_it_missed_and_then_what_is_new(
    redis_url: str, prefix: str
) -> None:
    async with processes(2, redis_url, prefix) as (one, other):
        ann = Client()
        channels = ann.channels(one)
        await ann.come(one)
        await one.say(channels[0], "one")
        await one.settled()
        since = await one.cursor(channels)
        ann.go()
        await one.say(channels[0], "two")
        await ann.come(other, since)
        assert ann.resumed == {"complete": True, "missed": 1, "cursor": ann.resumed["cursor"]}
        await one.say(channels[0], "three")
        await until(lambda: len(ann.texts) == 3)
        assert ann.texts == ["one", "two", "three"]


async def test_a_cursor_is_told_once_everything_before_it_was_sent(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        ann = Client()
        await ann.come(process)
        channels = ann.channels(process)
        for number in range(20):
            process.publish([channels[number % 4]], str(number), lambda _heard: None)
        positions = positions_in(await process.cursor(channels)) or {}
        assert ann.texts == [str(number) for number in range(20)]
        assert min(positions.values()) > 0
        assert positions["g"] >= process.inbound.hub.number_of(channels[0])


async def test_who_was_expected_hears_what_was_said_to_it_alone(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        ann = Client()
        await ann.come(process)
        channels = ann.channels(process)
        await process.say(channels[OWN], "heard")
        await process.settled()
        number = process.inbound.hub.number_of(channels[OWN])
        ann.go()
        await process.subscriber.hold(channels)
        await process.say(channels[OWN], "missed")
        await process.say(channels[0], "to the group")
        returning = await process.continuity.welcome(number, channels[OWN])
        ann.begin(process, channels, returning)
        assert ann.texts == ["heard", "missed"]
        assert not [line for line in ann.lines if line.get("cmd") == "RESUMED"]


async def test_who_has_not_asked_is_told_of_a_gap_where_it_is_not_known(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        ann = Client("ann", "v2")
        await ann.come(process, UNKNOWN)
        (gap,) = ann.lines
        assert gap["cmd"] == "GAP"
        begun, over = gap["payload"]["from"], gap["payload"]["to"]
        assert begun < over <= process.stamp()


async def test_while_the_link_is_lost_it_waits_until_that_is_repaired(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        ann = Client()
        channels = ann.channels(process)
        await process.subscriber.hold(channels)
        since = await process.cursor(channels)
        process.publish([channels[0]], "missed", lambda _heard: None)
        process.subscriber.end_link()
        ann.begin(process, channels, await process.continuity.resume(since, channels, "v3"))
        assert (ann.resumed["complete"], ann.texts) == (True, ["missed"])


async def test_what_no_repair_has_found_is_read_anew_for_who_comes_back_meanwhile(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its history was read while there was no link. It was subscribed just before, so no position is known there."""
    for pause in ("SOON_SECONDS", "WATERMARK_SECONDS"):
        monkeypatch.setattr(repair, pause, 1_000.0)
    async with processes(2, redis_url, prefix) as (one, other):
        ann, may_open = Client(), asyncio.Event()
        channels = ann.channels(one)
        await one.subscriber.hold(channels)
        since = await one.cursor(channels)

        async def open_link(*parts: Any) -> link.Link:
            await may_open.wait()
            return await opens(*parts)

        opens = link.open_link
        monkeypatch.setattr(link, "open_link", open_link)
        one.subscriber.end_link()
        await until(lambda: not one.subscriber.is_up)
        returning = asyncio.create_task(one.continuity.resume(since, channels, "v3"))
        await until(lambda: one.continuity.tails.read == len(channels))
        await one.say(one.addresses.client("acme", "nobody"), "behind what is read")
        await other.say(channels[0], "missed")
        may_open.set()
        ann.begin(one, channels, await returning)
        assert one.subscriber.gaps == 1
        assert (ann.resumed["complete"], ann.texts) == (True, ["missed"])


@pytest.mark.parametrize("has_heard", [True, False])
async def test_who_was_expected_and_went_before_it_heard_anything_is_expected_again(
    redis_url: str,
    prefix: str,
    redis: Redis,
    has_heard: bool,  # noqa: FBT001
) -> None:
    async with one_process(redis_url, prefix) as process:
        ann = Client()
        channels = ann.channels(process)
        await process.subscriber.hold(channels)
        await process.say(channels[OWN], "missed")
        returning = await process.continuity.welcome(5, channels[OWN])
        if has_heard:
            ann.begin(process, channels, returning)
        returning.cancel()
        returning.cancel()
        await process.settled()
        expected = process.addresses.kept_under(channels[OWN]) + b":expected"
        assert await redis.get(expected) == (None if has_heard else b"5")


@pytest.mark.parametrize("why", ["slow", "foreign"])
async def test_where_the_history_cannot_be_had_in_time_it_is_told_that_it_is_not_known(
    redis_url: str, prefix: str, redis: Redis, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    async with one_process(redis_url, prefix) as process:
        ann = Client()
        channels = ann.channels(process)
        await process.subscriber.hold(channels)
        since = await process.cursor(channels)
        if why == "slow":
            process.continuity.watermarks.ask = lambda _reached: None  # type: ignore[assignment]
        else:
            await redis.lpush(process.addresses.kept_under(channels[0]) + b":history", "x")
        ann.begin(process, channels, await process.continuity.resume(since, channels, "v3"))
        assert ann.resumed == {"complete": False, "missed": 0, "cursor": None}
        await process.say(channels[0], "new")
        await process.settled() if why == "foreign" else await until(lambda: ann.texts)
        assert ann.texts == ["new"]


async def test_who_gives_up_while_it_waits_leaves_nothing(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = Client().channels(process)
        await process.subscriber.hold(channels)
        since = await process.cursor(channels)
        coming = asyncio.create_task(process.continuity.resume(since, channels, "v3"))
        await asyncio.sleep(0)
        tails = [process.continuity.tails.take(channel) for channel in channels]
        assert [tail.users for tail in tails] == [2] * 4
        coming.cancel()
        await asyncio.wait([coming])
        assert [tail.users for tail in tails] == [1] * 4
        returning = await process.continuity.resume(since, channels, "v3")
        assert [tail.users for tail in tails] == [2] * 4
        returning.cancel()
        returning.cancel()
        assert [tail.users for tail in tails] == [1] * 4


async def test_what_is_too_much_for_one_client_is_not_replayed(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        process.continuity.most_bytes = 1_000
        ann = Client()
        channels = ann.channels(process)
        await process.subscriber.hold(channels)
        since = await process.cursor(channels)
        await process.say(channels[0], "x" * 1_000)
        ann.begin(process, channels, await process.continuity.resume(since, channels, "v3"))
        assert (ann.resumed["complete"], ann.texts) == (False, [])
        assert MOST_BYTES > 1_000


async def test_without_histories_nobody_comes_back_and_redis_is_asked_nothing(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with one_process(server.url, prefix, NONE) as process:
        ann = Client()
        channels = ann.channels(process)
        await process.subscriber.hold(channels)
        assert await process.cursor(channels) is None
        await process.say(channels[0], "one")
        ann.begin(process, channels, await process.continuity.resume("@g.1", channels, "v3"))
        assert ann.resumed == {"complete": False, "missed": 0, "cursor": None}
        await until(lambda: process.continuity.canary.times["own"]._sum)
        kept: Any = server.execute("KEYS", "*")
        assert [name for name in kept if "history" in name or "number" in name] == []
        assert server.execute("PUBLISH", channels[0].decode(), "x") == 1
        process.subscriber.end_link()
        await until(lambda: ann.gaps)


async def test_what_is_told_of_it(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        ann = Client()
        channels = ann.channels(process)
        await ann.come(process, UNKNOWN)
        await ann.come(process, await process.cursor(channels))
        told = numbers(process.continuity)
        assert told["bridge_resumed_total", "complete"] == 1
        assert told["bridge_resumed_total", "incomplete"] == 1
        assert told["bridge_histories_read_total"] == 4
        assert LINES.render([]) == b""


async def test_a_whole_process_has_it_among_its_parts(redis_url: str, prefix: str) -> None:
    async with assembled(redis_url, prefix) as process:
        assert isinstance(process, WholeProcess)
        assert process.continuity in process.parts
        assert set(process.continuity.tasks()) == {process.continuity.canary, process.continuity.repair}
    async with assembled(redis_url, prefix, history_seconds=0) as process:
        assert set(process.continuity.tasks()) == {process.continuity.canary}
        assert process.broker.subscriber.outage.repair is None


async def test_where_redis_begins_its_numbers_anew_they_go_on_above_those_that_were_heard(
    redis_server: StartRedis, prefix: str
) -> None:
    """Its clock was set back, and its data is lost: the next numbers would be below what clients come back with."""
    server = redis_server()
    async with one_process(server.url, prefix) as process:
        ann, ahead = Client(), time.time_ns() // 1_000 + 3_600_000_000
        await ann.come(process)
        group = ann.channels(process)[0]
        server.execute("SET", process.addresses.last_number, ahead)
        await process.say(group, "one")
        await until(lambda: ann.texts == ["one"])
        server.execute("FLUSHALL")
        await process.say(group, "two")
        await until(lambda: int(str(server.execute("GET", process.addresses.history_begin) or 0)) > ahead)
        await process.say(group, "three")
        await until(lambda: ann.texts == ["one", "two", "three"])
        assert int(str(server.execute("GET", process.addresses.last_number))) > ahead
