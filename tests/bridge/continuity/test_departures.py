"""What is kept in Redis of who has gone: that a client is expected, and up to where it has heard everything."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bridge.broker.history import HistoryOptions
from bridge.broker.presence import Place
from bridge.continuity import departures as module
from bridge.continuity.departures import Departures
from bridge.continuity.positions import KINDS, OWN, UNKNOWN, positions_in
from tests.bridge.broker.parts import Answers, until
from tests.bridge.continuity.processes import GROUP, OPTIONS, TENANT, Client, Process, one_process
from tests.conftest import StartRedis

ANN = Place(TENANT, GROUP, "ann", "v2")
NOTHING = HistoryOptions()


def expected(process: Process) -> str:
    return process.addresses.kept_under(process.addresses.client(TENANT, "ann")).decode() + ":expected"


async def come(process: Process) -> list[bytes]:
    """Ann connects, on V2; her positions are known."""
    ann = Client("ann", "v2")
    await ann.come(process)
    channels = ann.channels(process)
    await until(lambda: process.continuity.handed_on.now(channels))
    return channels


async def settled(process: Process) -> None:
    await process.bus.wait_until_answered()


async def test_who_is_expected_is_noted_for_as_long_as_histories_are_kept(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    async with one_process(redis_url, prefix) as process:
        channels, then = await come(process), Answers()
        process.continuity.departures.expect(ANN, channels, then)
        assert await then.next() > 0
        assert await redis.get(expected(process)) == b"0"
        assert 58 <= await redis.ttl(expected(process)) <= 60


async def test_the_watermark_of_who_is_expected_comes_after_that_is_noted(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels, then = await come(process), Answers()
        await process.say(channels[0], "before")
        process.continuity.departures.expect(ANN, channels, then)
        watermark = await then.next()
        process.subscriber.release([channels[OWN]])
        await settled(process)
        assert await process.say(channels[OWN], "after") == 1
        cursor = process.continuity.departures.part(ANN, channels, watermark)
        assert await process.continuity.departures.left(TENANT, "ann") is None
        assert positions_in(cursor or "")
        assert (
            await process.broker.redis.get(expected(process)) == str((positions_in(cursor or "") or {})["c"]).encode()
        )


async def test_where_it_is_not_known_what_was_heard_that_is_the_cursor(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await come(process)
        assert process.continuity.departures.part(ANN, channels, 0) == UNKNOWN


async def test_who_has_taken_everything_leaves_the_positions_of_now(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        channels = await come(process)
        await process.say(channels[0], "one")
        await process.settled()
        positions = positions_in(process.continuity.departures.cursor_at_end(channels)) or {}
        assert list(positions) == list(KINDS)
        assert positions["g"] == process.inbound.hub.number_of(channels[0])
        elsewhere = [process.addresses.group(TENANT, "elsewhere"), *channels[1:]]
        assert process.continuity.departures.cursor_at_end(elsewhere) == UNKNOWN


async def test_what_a_v2_client_leaves_is_there_until_it_is_back(redis_url: str, prefix: str, redis: Redis) -> None:
    async with one_process(redis_url, prefix) as process:
        departures = process.continuity.departures
        assert await departures.left(TENANT, "ann") is None
        departures.leave(ANN, "@g.1")
        assert await departures.left(TENANT, "ann") == "@g.1"
        assert 58 <= await redis.ttl(process.addresses.left(TENANT, "ann")) - module.SIGN_SECONDS <= 60
        await redis.set(expected(process), 5)
        assert await departures.ask_whether_expected(ANN) == b"5"
        await departures.come_back(ANN, None)
        assert await departures.left(TENANT, "ann") is None
        assert await departures.ask_whether_expected(ANN) is None


async def test_of_two_connections_of_a_client_nobody_knows_which_comes_back(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        departures = process.continuity.departures
        for cursor, left in (("@g.1", "@g.1"), ("@g.1", "@g.1"), ("@g.2", UNKNOWN), ("@g.3", UNKNOWN)):
            departures.leave(ANN, cursor)
            assert await departures.left(TENANT, "ann") == left
        await departures.come_back(ANN, None)
        departures.leave(ANN, "@g.4")
        assert await departures.left(TENANT, "ann") == "@g.4"


@pytest.mark.parametrize("replays", [True, False])
async def test_where_a_v2_client_of_this_name_is_still_here_it_is_not_known_what_who_comes_has_heard(
    redis_url: str, prefix: str, *, replays: bool
) -> None:
    """Its socket may be dead, and nobody knows; or its process. Where nothing is said again nobody is told."""
    async with one_process(redis_url, prefix, replace(OPTIONS, v2=replays)) as process:
        departures = process.continuity.departures
        departures.stay(ANN)
        assert await departures.left(TENANT, "ann") == (UNKNOWN if replays else None)
        departures.leave(ANN, "@g.1")
        assert await departures.left(TENANT, "ann") == "@g.1"


async def test_what_one_connection_leaves_is_not_what_another_has_heard_that_is_still_here(
    redis_url: str, prefix: str
) -> None:
    async with one_process(redis_url, prefix, replace(OPTIONS, v2=True)) as process:
        departures = process.continuity.departures
        departures.leave(ANN, "@g.1")
        departures.stay(ANN)
        assert await departures.left(TENANT, "ann") == UNKNOWN
        departures.leave(ANN, "@g.2")
        assert await departures.left(TENANT, "ann") == UNKNOWN


async def test_who_is_sent_away_has_heard_everything_once_it_has_taken_all(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        departures = process.continuity.departures
        departures.send_away(ANN, "@g.1")
        assert await departures.left(TENANT, "ann") == UNKNOWN
        departures.has_taken_all(ANN, "@g.2")
        assert await departures.left(TENANT, "ann") == UNKNOWN
        departures.has_taken_all(ANN, "@g.1")
        assert await departures.left(TENANT, "ann") == "@g.1"


async def test_who_was_sent_away_and_is_back_leaves_nothing_more(redis_url: str, prefix: str) -> None:
    """Else it would hear once more, the next time, what it hears now."""
    async with one_process(redis_url, prefix) as process:
        departures = process.continuity.departures
        departures.send_away(ANN, "@g.1")
        await departures.come_back(ANN, None)
        departures.has_taken_all(ANN, "@g.1")
        assert await departures.left(TENANT, "ann") is None


async def test_of_two_connections_that_are_sent_away_nobody_knows_either(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        departures = process.continuity.departures
        for cursor in ("@g.1", "@g.2"):
            departures.send_away(ANN, cursor)
        for cursor in ("@g.1", "@g.2"):
            departures.has_taken_all(ANN, cursor)
            assert await departures.left(TENANT, "ann") == UNKNOWN


@pytest.mark.parametrize("command", [("LPUSH", "x"), ("HSET", "a", "b"), ("SET", b"\xff\xfe"), ("SET", "x" * 100_000)])
async def test_whatever_another_program_has_put_there_is_no_cursor_and_goes(
    redis_url: str, prefix: str, redis: Redis, command: tuple[str | bytes, ...]
) -> None:
    async with one_process(redis_url, prefix) as process:
        departures, (name, *rest) = process.continuity.departures, command
        for key in (process.addresses.left(TENANT, "ann"), expected(process)):
            await redis.execute_command(name, key, *rest)  # type: ignore[no-untyped-call]
        left = await departures.left(TENANT, "ann")
        assert left is None or positions_in(left) is None
        assert await departures.ask_whether_expected(ANN) != b"5"
        departures.leave(ANN, "@g.1")
        assert await departures.left(TENANT, "ann") == "@g.1"


async def test_where_redis_does_not_answer_it_is_not_known_what_was_left(
    redis_server: StartRedis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a client that comes back meanwhile would miss something, and not be told."""
    monkeypatch.setattr(module, "READ_SECONDS", 0.1)
    server = redis_server()
    async with one_process(server.url, prefix) as process:
        process.continuity.departures.leave(ANN, "@g.1")
        await settled(process)
        server.freeze()
        assert await process.continuity.departures.left(TENANT, "ann") == UNKNOWN
        server.thaw()
        server.kill()
        assert await process.continuity.departures.left(TENANT, "ann") == UNKNOWN


async def test_of_who_has_left_while_redis_was_away_it_is_not_known_what_it_has_heard(
    redis_server: StartRedis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But in the place of nothing newer; and of so many clients, no more."""
    monkeypatch.setattr(module, "MOST_UNTAKEN", 2)
    server = redis_server()
    async with one_process(server.url, prefix) as process:
        departures, left = process.continuity.departures, process.addresses.left
        server.kill()
        await until(lambda: not process.bus.is_up)
        for client in ("ann", "bob", "one too many"):
            departures.leave(Place(TENANT, GROUP, client, "v2"), "@g.1")
        server.start()
        server.execute("SET", left(TENANT, "bob"), "@g.2")
        await until(lambda: process.bus.is_up)
        await settled(process)
        assert [server.execute("GET", left(TENANT, one)) for one in ("ann", "bob", "one too many")] == [
            UNKNOWN,
            "@g.2",
            None,
        ]


@pytest.mark.parametrize(("since", "left"), [(5, None), (9, "9")])
async def test_who_came_back_while_redis_was_away_is_expected_no_more_unless_that_was_noted_since(
    redis_server: StartRedis, prefix: str, since: int, left: str | None
) -> None:
    server = redis_server()
    async with one_process(server.url, prefix) as process:
        server.kill()
        await until(lambda: not process.bus.is_up)
        await process.continuity.departures.come_back(ANN, b"5")
        server.start()
        server.execute("SET", expected(process), since)
        await until(lambda: process.bus.is_up)
        await settled(process)
        assert server.execute("GET", expected(process)) == left


@pytest.mark.parametrize("noted", [b"5", None])
async def test_who_was_expected_is_back_when_redis_has_forgotten_that(
    redis_url: str, prefix: str, noted: bytes | None
) -> None:
    async with one_process(redis_url, prefix) as process:
        back = asyncio.create_task(process.continuity.departures.come_back(ANN, noted))
        await asyncio.sleep(0)
        assert back.done() == (noted is None)
        await back


async def test_without_histories_nothing_is_kept(redis_url: str, prefix: str, redis: Redis) -> None:
    async with one_process(redis_url, prefix) as process:
        handed_on = process.continuity.handed_on
        departures, then = Departures(process.bus, process.addresses, handed_on, NOTHING), Answers()
        departures.expect(ANN, [], then)
        assert await then.next() == 0
        assert departures.part(ANN, [], 7) is None
        departures.leave(ANN, "@g.1")
        departures.has_taken_all(ANN, "@g.1")
        await departures.come_back(ANN, None)
        await settled(process)
        assert await departures.left(TENANT, "ann") is None
        assert not departures.ask_whether_expected(ANN).done()
        assert (departures.is_on, departures.replays_on_v2) == (False, False)
        assert await redis.exists(expected(process), process.addresses.left(TENANT, "ann")) == 0


@pytest.mark.parametrize("v2", [0, 1])
async def test_whether_v2_is_told_what_it_missed_is_an_option(redis_url: str, prefix: str, v2: int) -> None:
    async with one_process(redis_url, prefix, HistoryOptions(seconds=60, v2=bool(v2))) as process:
        assert (process.continuity.departures.is_on, process.continuity.departures.replays_on_v2) == (True, bool(v2))
