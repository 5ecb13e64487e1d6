"""What is said is kept, in the order in which it is heard; what is not kept is noted."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bridge.broker import history as module
from bridge.broker import history_budget, unreadable
from bridge.broker.history import BEGIN, SPARE_SECONDS, HistoryOptions
from tests.bridge.broker.histories import OPTIONS, Keeping, keeping, number_in, numbers
from tests.bridge.broker.parts import Answers, Ear, message, running_subscriber, until
from tests.conftest import StartRedis
from tests.servers import RedisServer

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000


def now() -> int:
    return time.time_ns() // 1_000


async def begin(process: Keeping, server: str = "", *heard: tuple[bytes, int]) -> list[bytes]:
    """As if a process had a new link, that spoke to that server before and has heard this: what it is told."""
    answers = Answers()
    names = [process.addresses.last_number, process.addresses.history_begin, process.addresses.history_server]
    keys = [*names, *(process.key(channel) for channel, _ in heard)]
    BEGIN.run(process.bus, keys, [server, *(number for _, number in heard)], answers)
    answer: list[bytes] = await answers.next()
    return answer


async def test_what_is_said_is_heard_and_kept_under_one_number(redis_url: str, prefix: str) -> None:
    ear = Ear()
    async with keeping(redis_url, prefix) as process, running_subscriber(redis_url, ear) as subscriber:
        await subscriber.hold([process.group])
        before = now()
        assert await process.say("one") == 1
        assert await process.say("two") == 1
        heard = await ear.numbers(2)
        kept = await process.read(process.group)
        assert heard == numbers(kept)
        assert before <= numbers(kept)[0] < numbers(kept)[1] <= kept.read_at <= now()
        assert await process.texts(process.group) == ["one", "two"]


async def test_numbers_increase_over_all_channels_and_processes(redis_url: str, prefix: str) -> None:
    async with keeping(redis_url, prefix) as one, keeping(redis_url, prefix) as other:
        said = []
        for number in range(20):
            process = (one, other)[number % 2]
            channel = (one.group, one.addresses.platform, one.wide)[number % 3]
            await process.say(str(number), channel)
            said.append(numbers(await one.read(channel))[-1])
        assert said == sorted(set(said))


async def test_the_messages_of_one_turn_go_to_redis_together(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with keeping(server.url, prefix) as process:
        server.execute("CONFIG", "RESETSTAT")
        answers = Answers()
        for number in range(2 * module.MOST_TOGETHER + 1):
            process.history.publish([process.group], message(str(number)), answers)
        for _ in range(2 * module.MOST_TOGETHER + 1):
            assert await answers.next() == 0
        stats: Any = server.execute("INFO", "commandstats")
        assert stats["cmdstat_evalsha"]["calls"] == 3
        assert await process.texts(process.group) == [str(number) for number in range(2 * module.MOST_TOGETHER + 1)]


async def test_large_messages_go_in_several_calls(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with keeping(server.url, prefix) as process:
        server.execute("CONFIG", "RESETSTAT")
        answers = Answers()
        for _ in range(4):
            process.history.publish([process.group], message("x" * (module.MOST_BYTES_TOGETHER // 2)), answers)
        for _ in range(4):
            await answers.next()
        stats: Any = server.execute("INFO", "commandstats")
        assert stats["cmdstat_evalsha"]["calls"] == 2


async def test_the_oldest_go_when_there_are_too_many_and_all_when_it_is_long_ago(
    redis_url: str, prefix: str, redis: Redis
) -> None:
    async with keeping(redis_url, prefix, HistoryOptions(seconds=60, messages=10)) as process:
        answers = Answers()
        for number in range(300):
            process.history.publish([process.group], message(str(number)), answers)
        for _ in range(300):
            await answers.next()
        kept = await process.read(process.group)
        assert 10 <= len(kept.messages) <= 110
        assert kept.whole_since == numbers(kept)[0]
        assert 59 < await redis.pttl(process.key(process.group, ":history")) / 1_000 <= 60 + SPARE_SECONDS


@pytest.mark.parametrize("count", [10, 40])
async def test_where_not_all_may_be_read_the_newest_is_and_is_whole_since_what_is_left_out(
    redis_url: str, prefix: str, count: int
) -> None:
    async with keeping(redis_url, prefix) as process:
        for number in range(count):
            await process.say(str(number), process.group)
        whole = await process.read(process.group)
        size = len(message("0"))
        kept = await process.read(process.group, most_bytes=21 * (size + 1))
        assert numbers(kept) == numbers(whole)[-21:]
        assert kept.whole_since == (0 if count == 10 else numbers(whole)[-22])


async def test_what_is_said_while_redis_is_away_is_not_said(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with keeping(server.url, prefix) as process:
        server.kill()
        await until(lambda: not process.bus.is_up)
        assert await process.say("one") is None
        server.start()
        await until(lambda: process.bus.is_up)
        assert await process.say("two") == 0
        assert await process.texts(process.group) == ["two"]
        assert (process.bus.published, process.bus.replies.failed) == (2, 1)


async def test_a_callback_that_fails_keeps_no_other_from_its_answer(redis_url: str, prefix: str) -> None:
    def fail(_heard: object) -> None:
        raise ZeroDivisionError

    async with keeping(redis_url, prefix) as process:
        answers = Answers()
        process.history.publish([process.group], message("one"), fail)
        process.history.publish([process.group], message("two"), answers)
        assert await answers.next() == 0
        assert process.bus.replies.errors == 1


class TestToOneClient:
    async def test_what_nobody_hears_is_not_kept(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix) as process:
            assert await process.say("one", process.ann) == 0
            assert await process.texts(process.ann) == []

    async def test_what_somebody_hears_is_kept(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix) as process, running_subscriber(redis_url, Ear()) as subscriber:
            await subscriber.hold([process.ann])
            assert await process.say("one", process.ann) == 1
            assert await process.texts(process.ann) == ["one"]

    @pytest.mark.parametrize("of_any_type", [("SET", "1"), ("LPUSH", "x")])
    async def test_what_is_said_to_who_is_expected_is_kept_and_counts_as_heard(
        self, redis_url: str, prefix: str, redis: Redis, of_any_type: tuple[str, str]
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await redis.execute_command(of_any_type[0], process.key(process.ann, ":expected"), of_any_type[1])  # type: ignore[no-untyped-call]
            assert await process.say("one", process.ann) == 1
            assert await process.texts(process.ann) == ["one"]

    async def test_what_is_said_to_a_client_of_this_process_counts_as_heard_though_its_link_is_lost(
        self, redis_url: str, prefix: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            process.history.is_wanted = process.ann.__eq__
            assert await process.say("one", process.ann) == 1
            assert await process.texts(process.ann) == ["one"]

    async def test_it_is_not_kept_where_that_is_not_wanted_and_that_is_noted(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix, HistoryOptions(seconds=60, direct=False)) as process:
            process.history.is_wanted = process.ann.__eq__
            before = now()
            assert await process.say("one", process.ann) == 0  # nobody gets it from the history
            kept = await process.read(process.ann)
            assert (kept.messages, process.history.budget.not_kept) == ([], 0)
            assert before <= kept.unkept <= kept.read_at


class TestOnTheWideChannel:
    async def test_one_message_has_one_number_on_both(self, redis_url: str, prefix: str) -> None:
        ear = Ear()
        async with keeping(redis_url, prefix) as process, running_subscriber(redis_url, ear) as subscriber:
            await subscriber.hold([process.group, process.wide])
            assert await process.say("one", process.group, process.wide) == 2
            assert [text for _, text in await ear.texts(2)] == ["one", "one"]
            kept = await process.read(process.group)
            assert len(kept.messages) == 1

    @pytest.mark.parametrize("v2", [1, 0])
    async def test_it_is_kept_there_only_if_v2_is_told_what_it_missed(
        self, redis_url: str, prefix: str, v2: int
    ) -> None:
        async with keeping(redis_url, prefix, HistoryOptions(seconds=60, v2=bool(v2))) as process:
            await process.say("one", process.group, process.wide)
            assert await process.texts(process.wide) == ["one"][:v2]
            assert bool((await process.read(process.wide)).unkept) is not bool(v2)  # or who missed it is not told
            assert await process.texts(process.group) == ["one"]

    async def test_what_is_said_there_to_one_client_is_kept_though_the_client_does_not_hear_it(
        self, redis_url: str, prefix: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            assert await process.say("one", process.ann, process.wide) == 0
            assert await process.texts(process.ann) == ["one"]


class TestWithoutRoom:
    async def test_it_is_said_and_not_kept_and_that_is_noted(self, redis_url: str, prefix: str) -> None:
        ear = Ear()
        async with (
            keeping(redis_url, prefix, HistoryOptions(seconds=60, most_bytes=0)) as process,
            running_subscriber(redis_url, ear) as subscriber,
        ):
            await subscriber.hold([process.group])
            assert await process.say("one") == 1
            ((_, heard),) = await ear.messages(1)
            kept = await process.read(process.group)
            assert (kept.messages, kept.unkept) == ([], heard.number)
            assert process.history.budget.not_kept == 1

    async def test_what_is_kept_later_is_no_whole_history_over_it(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix, HistoryOptions(seconds=60, most_bytes=6_000)) as process:
            before = (await process.read(process.group)).read_at
            await process.say("x" * 2_000)
            await process.say("one")
            kept = await process.read(process.group)
            assert await process.texts(process.group) == ["one"]
            assert not kept.is_whole_since(before, 60)
            assert kept.is_whole_since(kept.unkept, 60)

    async def test_beyond_so_many_channels_their_tenant_is_noted_and_no_history_of_it_is_whole(
        self, redis_url: str, prefix: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history_budget, "MOST_NOTED", 2)
        async with keeping(redis_url, prefix, HistoryOptions(seconds=60, most_bytes=0)) as process:
            of_acme, of_beta = partial(process.addresses.group, "acme"), partial(process.addresses.group, "beta")
            before = (await process.read(process.group)).read_at
            await process.say("one", of_acme("a"))
            await process.say("one", of_acme("b"))
            assert (await process.read(process.group)).is_whole_since(before, 60)
            for name in range(100):
                await process.say("one", of_acme(f"n{name}"))
            await process.say("one", of_beta("a"))
            for channel in (process.group, process.ann, process.wide, of_acme("a"), of_acme("n7")):
                assert not (await process.read(channel)).is_whole_since(before, 60)
            assert (await process.read(process.group)).is_whole_since((await process.read(process.group)).unkept, 60)
            for channel in (of_beta("b"), process.addresses.platform):
                assert (await process.read(channel)).is_whole_since(before, 60)
            tenant = process.addresses.broadcast("acme")
            noted = {name async for name in redis.scan_iter(match=f"{prefix}*:unkept")}
            assert noted == {
                process.key(one, ":unkept").encode() for one in (*map(of_acme, "ab"), tenant, of_beta("a"))
            }
            assert 0 < await redis.ttl(process.key(tenant, ":unkept")) <= 60 + SPARE_SECONDS


class TestNumbers:
    async def test_they_go_on_where_the_clock_was_set_back(self, redis_url: str, prefix: str, redis: Redis) -> None:
        async with keeping(redis_url, prefix) as process:
            ahead = now() + HOUR
            await redis.set(process.addresses.last_number, ahead)
            await process.say("one")
            await process.say("two", process.ann, process.wide)
            await process.say("three")
            kept = await process.read(process.group)
            assert numbers(kept) == [ahead + 1, ahead + 3]
            assert kept.read_at == ahead + 3

    async def test_no_history_is_whole_over_numbers_that_are_ahead_of_the_clock(
        self, redis_url: str, prefix: str, redis: Redis
    ) -> None:
        """A history that is gone would look as if nothing had been said: its time is over sooner than its numbers."""
        async with keeping(redis_url, prefix) as process:
            await redis.set(process.addresses.last_number, now() + HOUR)
            heard_until = (await process.read(process.group)).read_at
            await process.say("one")
            await redis.delete(process.key(process.group, ":history"))  # its time is over
            kept = await process.read(process.group)
            assert not kept.is_whole_since(heard_until, 60)

    async def test_a_fraction_of_a_second_ahead_is_no_break(self, redis_url: str, prefix: str, redis: Redis) -> None:
        async with keeping(redis_url, prefix) as process:
            heard_until = (await process.read(process.group)).read_at
            await redis.set(process.addresses.last_number, now() + SECOND // 2)
            await process.say("one")
            assert (await process.read(process.group)).is_whole_since(heard_until, 60)

    @pytest.mark.parametrize("wild", ["", "x", "nan", "-5", "1e3", "0x10", "9" * 16, "9" * 5_000])
    async def test_what_cannot_be_a_number_of_ours_is_passed_over_and_is_a_break(
        self, redis_url: str, prefix: str, redis: Redis, wild: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            heard_until = (await process.read(process.group)).read_at
            await redis.set(process.addresses.last_number, wild)
            before = now()
            await process.say("one")
            kept = await process.read(process.group)
            assert before <= numbers(kept)[0] <= now()
            assert not kept.is_whole_since(heard_until, 60)
            assert kept.is_whole_since(numbers(kept)[0], 60)

    async def test_where_everything_was_lost_they_begin_anew_and_that_is_a_break(
        self, redis_url: str, prefix: str, redis: Redis
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await process.say("one")
            heard_until = (await process.read(process.group)).read_at
            async for name in redis.scan_iter(match=f"{prefix}*"):
                await redis.delete(name)
            assert not (await process.read(process.group)).is_whole_since(heard_until, 60)
            await process.say("two")
            kept = await process.read(process.group)
            assert not kept.is_whole_since(heard_until, 60)
            assert kept.is_whole_since(kept.read_at, 60)


class TestWhoElseWritesThere:
    @pytest.mark.parametrize("command", [("SET", "x"), ("LPUSH", "x"), ("XADD", f"{now() + HOUR}-0", "a", "b")])
    async def test_what_cannot_be_kept_is_heard_and_counted_and_noted(
        self, redis_url: str, prefix: str, redis: Redis, command: tuple[str, ...]
    ) -> None:
        ear = Ear()
        async with keeping(redis_url, prefix) as process, running_subscriber(redis_url, ear) as subscriber:
            await subscriber.hold([process.group])
            name, *rest = command
            await redis.execute_command(name, process.key(process.group, ":history"), *rest)  # type: ignore[no-untyped-call]
            skipped = unreadable.skipped["history"]
            assert await process.say("one") == 1
            assert await ear.texts(1) == [(process.group, "one")]
            assert unreadable.skipped["history"] == skipped + 1
            assert await number_in(redis, process.key(process.group, ":unkept")) == await number_in(
                redis, process.addresses.last_number
            )

    @pytest.mark.parametrize("name", ["last_number", "history_begin", "history_server"])
    async def test_another_type_under_a_name_of_all_is_replaced(
        self, redis_url: str, prefix: str, redis: Redis, name: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            address = getattr(process.addresses, name)
            await redis.delete(address)
            await redis.lpush(address, "x")
            assert await process.say("one") == 0
            await begin(process)
            kept = await process.read(process.group)
            assert await process.texts(process.group) == ["one"]
            assert kept.begin
            assert await redis.type(address) == b"string"

    @pytest.mark.parametrize("what", [":unkept", ":expected"])
    async def test_another_type_under_a_name_of_a_channel_harms_nobody(
        self, redis_url: str, prefix: str, redis: Redis, what: str
    ) -> None:
        async with keeping(redis_url, prefix, HistoryOptions(seconds=60, most_bytes=6_000)) as process:
            await redis.lpush(process.key(process.group, what), "x")
            assert await process.say("x" * 2_000) == 0
            assert await process.say("one") == 0
            assert await process.texts(process.group) == ["one"]
            assert (await process.read(process.group)).unkept


class TestReading:
    async def test_only_what_is_later_is_read(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix) as process:
            for text in ("one", "two", "three"):
                await process.say(text)
            first, *rest = numbers(await process.read(process.group))
            assert numbers(await process.read(process.group, first)) == rest
            assert numbers(await process.read(process.group, rest[-1])) == []

    async def test_a_channel_on_which_nothing_was_said_has_a_whole_history(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix) as process:
            kept = await process.read(process.group)
            assert (kept.messages, kept.whole_since, kept.unkept) == ([], 0, 0)
            assert kept.is_whole_since(kept.begin, 60)

    @pytest.mark.parametrize("left", [2, 1, 0])
    async def test_what_was_removed_is_no_whole_history_over_it(
        self, redis_url: str, prefix: str, redis: Redis, left: int
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            for text in ("one", "two", "three"):
                await process.say(text)
            said = numbers(await process.read(process.group))
            await redis.xtrim(process.key(process.group, ":history"), maxlen=left, approximate=False)
            kept = await process.read(process.group)
            assert len(kept.messages) == left
            assert not kept.is_whole_since(said[2 - left] - 1, 60)
            assert kept.is_whole_since(said[min(3 - left, 2)], 60)

    async def test_what_was_taken_out_of_the_middle_is_no_whole_history_over_it(
        self, redis_url: str, prefix: str, redis: Redis
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            for text in ("one", "two", "three"):
                await process.say(text)
            said = numbers(await process.read(process.group))
            await redis.xdel(process.key(process.group, ":history"), f"{said[1]}-0")
            kept = await process.read(process.group)
            assert not kept.is_whole_since(said[0], 60)
            assert kept.is_whole_since(said[1], 60)

    async def test_where_the_clock_was_set_back_by_days_no_older_history_is_whole(
        self, redis_url: str, prefix: str, redis: Redis
    ) -> None:
        """Redis keeps nothing below the numbers of before; whoever has one of those has missed what was said since."""
        async with keeping(redis_url, prefix) as process:
            before, key = now() + 48 * HOUR, process.key(process.group, ":history")
            await redis.xadd(key, {"m": message("before")}, id=f"{before}-0")
            await process.say("one")
            kept = await process.read(process.group)
            assert kept.messages == []
            assert kept.read_at <= now()
            assert not kept.is_whole_since(before, 60)
            assert not kept.is_whole_since(kept.read_at, 60)

    @pytest.mark.parametrize("name", ["history_begin", "last_number"])
    @pytest.mark.parametrize("wild", ["x", "9" * 30, "-1"])
    async def test_a_wild_number_makes_no_history_whole(
        self, redis_url: str, prefix: str, redis: Redis, name: str, wild: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await process.say("one")
            before = await process.read(process.group)
            await redis.set(getattr(process.addresses, name), wild)
            kept = await process.read(process.group)
            assert kept.messages == before.messages or numbers(kept) == numbers(before)
            assert before.read_at <= kept.read_at <= now()
            assert kept.is_whole_since(before.read_at, 60) == (name == "last_number")

    async def test_a_wild_number_of_a_channel_or_its_tenant_is_none(
        self, redis_url: str, prefix: str, redis: Redis
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await redis.set(process.key(process.group, ":unkept"), "x")
            await redis.lpush(process.key(process.addresses.broadcast("acme"), ":unkept"), "x")
            assert (await process.read(process.group)).unkept == 0


class TestWhereALinkBegins:
    async def test_the_first_to_come_begins_the_histories(self, redis_url: str, prefix: str, redis: Redis) -> None:
        before = now()
        async with keeping(redis_url, prefix) as process:
            begun = await number_in(redis, process.addresses.history_begin)
            assert before <= begun <= now()
            async with keeping(redis_url, prefix):
                assert await number_in(redis, process.addresses.history_begin) == begun

    async def test_whoever_comes_back_to_the_same_server_moves_nothing(
        self, redis_server: StartRedis, prefix: str
    ) -> None:
        server = redis_server()
        async with keeping(server.url, prefix) as process:
            begun = server.execute("GET", process.addresses.history_begin)
            server.execute("CLIENT", "KILL", "TYPE", "normal")
            await until(lambda: process.bus.reconnects == 1 and process.bus.is_up)
            await process.bus.wait_until_answered()
            assert server.execute("GET", process.addresses.history_begin) == begun

    async def test_another_server_that_has_what_was_heard_has_everything_before_it(
        self, redis_url: str, prefix: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            (_, begun) = await begin(process)
            await process.say("one")
            (number,) = numbers(await process.read(process.group))
            assert (await begin(process, "another", (process.group, number)))[1] == begun

    @pytest.mark.parametrize("lost", [0, 1])
    async def test_another_server_that_lacks_what_was_heard_has_a_break(
        self, redis_url: str, prefix: str, lost: int
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await process.say("one")
            (number,) = numbers(await process.read(process.group))
            heard = [(process.group, number), (process.ann, number)][lost:]
            before = now()
            assert int((await begin(process, "another", *heard))[1]) >= before

    @pytest.mark.parametrize("server", ["", "another"])
    async def test_whoever_has_heard_nothing_cannot_know(
        self, redis_url: str, prefix: str, redis: Redis, server: str
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await redis.set(process.addresses.history_server, "another")
            before = now()
            assert int((await begin(process, server))[1]) >= before

    async def test_a_server_that_was_started_anew_and_has_lost_what_was_said_has_a_break(
        self, redis_server: StartRedis, prefix: str
    ) -> None:
        """Though nobody of this process has heard it."""
        server = redis_server()
        async with keeping(server.url, prefix) as process:
            await process.say("kept")
            history = str(server.execute("GET", process.addresses.last_number))
            kept = server.execute("GET", process.addresses.history_begin)
            await process.say("one")
            server.restart()
            for name, value in (("last_number", history), ("history_begin", kept), ("history_server", "before")):
                server.execute("SET", getattr(process.addresses, name), str(value))
            server.execute(
                "XADD", process.key(process.group, ":history"), f"{history}-0", "m", message("kept").decode()
            )
            server.execute("CLIENT", "KILL", "TYPE", "normal")
            await until(
                lambda: process.bus.is_up and server.execute("GET", process.addresses.history_server) != "before"
            )
            assert int(str(server.execute("GET", process.addresses.history_begin))) > int(history)

    @pytest.mark.parametrize("server", ["", "another"])
    async def test_numbers_that_were_heard_are_not_taken_again_where_they_are_lost(
        self, redis_url: str, prefix: str, server: str
    ) -> None:
        """Or who has heard the last would miss what is said under the numbers before it, and be told that this is all.

        Who had heard the last may lack what was said before that was noticed. So it is where the clock of the next
        server is behind that of the one before.
        """
        async with keeping(redis_url, prefix) as process:
            heard = now() + 2_000_000
            assert int((await begin(process, server, (process.group, heard)))[1]) == heard + 1
            await process.say("one")
            kept = await process.read(process.group)
            assert numbers(kept)[0] > heard
            assert not kept.is_whole_since(heard, 60)

    @pytest.mark.parametrize("ahead", [HOUR, 48 * HOUR])
    async def test_a_number_is_above_all_that_its_process_has_seen_also_where_redis_has_lost_them(
        self, redis_url: str, prefix: str, ahead: int
    ) -> None:
        """Unless it was days ahead, which no server of ours can have given."""
        async with keeping(redis_url, prefix) as process:
            heard = now() + ahead
            process.history.evidence.highest_heard = lambda: heard
            await process.say("one")
            kept = await process.read(process.group)
            assert (numbers(kept)[0] > heard) == (ahead == HOUR)
            assert not kept.is_whole_since(min(heard, now() - 1), 60)

    async def test_a_number_of_days_ahead_that_was_heard_is_not_believed(self, redis_url: str, prefix: str) -> None:
        async with keeping(redis_url, prefix) as process:
            assert int((await begin(process, "another", (process.group, now() + 48 * HOUR)))[1]) <= now()

    async def test_a_beginning_that_is_still_to_come_is_not_believed(
        self, redis_url: str, prefix: str, redis: Redis
    ) -> None:
        async with keeping(redis_url, prefix) as process:
            await redis.set(process.addresses.history_begin, now() + HOUR)
            assert int((await begin(process))[1]) <= now()


def throw_out(server: RedisServer) -> None:
    """Let Redis throw out every key that has a time, as it does when it is full under such a policy."""
    server.execute("CONFIG", "SET", "maxmemory-policy", "volatile-ttl", "maxmemory", "1")
    with suppress(ResponseError):
        server.execute("SET", "full", "")
    server.execute("CONFIG", "SET", "maxmemory", "0")


class TestWhereRedisThrowsKeysOut:
    async def test_no_history_is_whole_over_that(self, redis_server: StartRedis, prefix: str) -> None:
        server = redis_server()
        async with keeping(server.url, prefix) as process:
            await process.say("one")
            before = (await process.read(process.group)).read_at
            await process.say("two")
            throw_out(server)
            kept = await process.read(process.group)
            assert not kept.messages
            assert not kept.is_whole_since(before, 60)
            await process.say("three")
            assert not (await process.read(process.ann)).is_whole_since(before, 60)

    async def test_what_is_said_afterwards_is_whole(self, redis_server: StartRedis, prefix: str) -> None:
        server = redis_server()
        async with keeping(server.url, prefix) as process:
            await process.say("one")
            throw_out(server)
            position = (await process.read(process.group)).read_at
            await process.say("two")
            assert (await process.read(process.group)).is_whole_since(position, 60)
            assert int((await begin(process))[1]) <= position

    async def test_a_new_link_notes_it_though_what_was_heard_last_is_there(
        self, redis_server: StartRedis, prefix: str
    ) -> None:
        server = redis_server()
        async with keeping(server.url, prefix) as process:
            await process.say("one")
            throw_out(server)
            before = now()
            await process.say("two")
            last = (process.group, int(str(server.execute("GET", process.addresses.last_number))))
            assert int((await begin(process, "before", last))[1]) >= before


async def test_a_break_is_noted_before_anything_is_said_on_a_new_link(redis_server: StartRedis, prefix: str) -> None:
    server = redis_server()
    async with keeping(server.url, prefix) as process:
        answers = Answers()
        process.bus.back.add(lambda: process.history.publish([process.group], message("one"), answers))
        server.restart()
        assert await answers.next() == 0
        kept = await process.read(process.group)
        assert kept.begin <= numbers(kept)[0]
        assert kept.is_whole_since(kept.begin, 60)


def test_redis_keeps_longer_than_is_told() -> None:
    assert OPTIONS.kept_seconds == 60 + SPARE_SECONDS
    assert HistoryOptions().kept_seconds == 0


async def test_names_are_worked_out_anew_when_there_are_many(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    async with keeping(redis_url, prefix) as process:
        channels = [process.addresses.group("acme", str(number)) for number in range(5)] * 2
        await asyncio.gather(*(process.say("one", channel) for channel in channels))
        assert [await process.texts(channel) for channel in channels] == [["one", "one"]] * 10
