"""Who comes back hears what it missed, then what is new: each message once, whatever is said meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bridge.continuity.positions import KINDS, UNKNOWN, positions_in
from bridge.continuity.resumption import NOTHING, Resumed, Resumption
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.continuity.processes import TENANT, Client, Process, one_process, processes
from tests.conftest import StartRedis

SECONDS = 60


def texts(resumed: Resumed) -> list[str]:
    return [one.heard.msg or "" for one in resumed.messages]


class Coming:
    """One client that comes back to a process."""

    def __init__(self, process: Process, since: str, watermark: Any = None) -> None:
        named = dict(zip(KINDS, Client().channels(process), strict=False))
        ask = watermark or process.continuity.handed_on.ask
        self.resumption = Resumption(since, named, process.continuity.tails, ask, SECONDS)

    async def wait(self) -> bool:
        return await asyncio.wait_for(self.resumption.wait(), ANSWER_SECONDS)

    async def end(self) -> Resumed:
        assert await self.wait()
        return self.resumption.end()


async def hold(process: Process) -> list[bytes]:
    channels = Client().channels(process)
    await process.subscriber.hold(channels)
    return channels


async def test_what_was_said_on_its_channels_since_its_cursor_is_missed_in_order(redis_url: str, prefix: str) -> None:
    async with processes(2, redis_url, prefix) as (process, other):
        channels = await hold(process)
        await process.say(channels[0], "heard")
        await process.settled()
        since = await process.cursor(channels)
        for number, channel in enumerate((*channels, *reversed(channels))):
            await other.say(channel, str(number))
        await other.say(other.addresses.group(TENANT, "elsewhere"), "not its own")
        resumed = await Coming(process, since).end()
        assert (resumed.is_complete, texts(resumed)) == (True, [str(number) for number in range(8)])
        again = await Coming(process, resumed.cursor or "").end()
        assert (again.is_complete, texts(again)) == (True, [])


async def test_the_last_message_that_it_heard_tells_too(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        for channel in channels:
            await process.say(channel, "before")
        since = process.publish([channels[2]], "heard", lambda _heard: None)
        for channel in channels:
            await process.say(channel, "missed")
        resumed = await Coming(process, since).end()
        assert (resumed.is_complete, texts(resumed)) == (True, ["missed"] * 4)


async def test_a_history_that_is_read_late_because_redis_forgot_its_script_has_what_was_said_meanwhile_once(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with processes(2, server.url, prefix) as (process, other):
        channels = await hold(process)
        await process.say(channels[0], "heard")
        since = await process.cursor(channels)
        server.execute("SCRIPT", "FLUSH")
        coming = Coming(process, since)
        await other.say(channels[0], "missed")
        assert await coming.wait()
        resumed = coming.resumption.end()
        assert (resumed.is_complete, texts(resumed)) == (True, ["missed"])


@pytest.mark.parametrize("since", [UNKNOWN, "2026-01-01T00:00:00.000000Z", "", "@g.1-c.1-b.1-p.1", "x"])
async def test_where_it_is_not_proven_nothing_is_missed_and_a_cursor_is_given_all_the_same(
    redis_url: str, prefix: str, since: str
) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        await process.say(channels[0], "one")
        resumed = await Coming(process, since).end()
        assert (resumed.is_complete, texts(resumed)) == (False, [])
        await process.say(channels[0], "two")
        again = await Coming(process, resumed.cursor or "").end()
        assert (again.is_complete, texts(again)) == (True, ["two"])


async def test_since_when_it_may_have_missed_something_is_told(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        await hold(process)
        resumed = await Coming(process, "@g.hefwrraps0-c.hefwrraps1-b.hefwrraps1-p.hefwrraps1").end()
        assert (resumed.is_complete, resumed.since) == (False, "2026-01-01T10:00:00.000000Z")


async def test_what_is_said_until_it_joins_the_listeners_is_missed_and_nothing_later(
    redis_url: str, prefix: str
) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        since = await process.cursor(channels)
        await process.say(channels[0], "one")
        coming = Coming(process, since)
        assert await coming.wait()
        await process.say(channels[1], "two")
        await process.settled()
        resumed = coming.resumption.end()
        assert texts(resumed) == ["one", "two"]
        await process.say(channels[0], "three")
        await process.settled()
        again = await Coming(process, resumed.cursor or "").end()
        assert texts(again) == ["three"]


async def test_it_waits_until_everything_that_its_history_has_is_handed_on(redis_url: str, prefix: str) -> None:
    asked: list[tuple[Sequence[bytes], Callable[[int], None]]] = []
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        since = await process.cursor(channels)
        coming = Coming(process, since, lambda *call: asked.append(call))
        waiting = asyncio.create_task(coming.wait())
        await until(lambda: process.continuity.tails.read == 4)
        await process.settled()
        assert not waiting.done()
        ((of, reached),) = asked
        assert list(of) == channels
        reached(max((positions_in(await process.cursor(channels)) or {}).values()))
        reached(5)
        assert await waiting
        assert coming.resumption.end().is_complete


async def test_where_that_cannot_be_known_nothing_is(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        since = await process.cursor(channels)
        coming = Coming(process, since, lambda _channels, reached: reached(0))
        assert not await coming.wait()
        assert coming.resumption.end() == NOTHING


async def test_where_the_link_is_lost_before_it_joins_nothing_is_known(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        coming = Coming(process, await process.cursor(channels))
        assert await coming.wait()
        process.subscriber.end_link()
        await until(lambda: not process.subscriber.is_up)
        assert coming.resumption.end() == NOTHING


async def test_it_gives_back_what_it_took_however_it_ends(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        since = await process.cursor(channels)
        first, second = Coming(process, since), Coming(process, since)
        assert await first.wait()
        tails = [process.continuity.tails.take(channel) for channel in channels]
        assert [tail.users for tail in tails] == [3] * 4
        first.resumption.end()
        first.resumption.cancel()
        second.resumption.cancel()
        second.resumption.cancel()
        assert [tail.users for tail in tails] == [1] * 4


async def test_a_group_of_many_that_comes_back_at_once_asks_redis_once(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await hold(process)
        since = await process.cursor(channels)
        await process.say(channels[0], "one")
        coming = [Coming(process, since) for _ in range(100)]
        assert [texts(await each.end()) for each in coming] == [["one"]] * 100
        assert process.continuity.tails.read == 4
