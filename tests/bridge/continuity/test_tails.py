"""The tail of a channel is read once for all who need it, and has everything that was said there since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bridge.broker import unreadable
from bridge.broker.incoming import Incoming
from bridge.continuity import tails as module
from bridge.continuity.missed import Kept
from bridge.continuity.part import TEXTS_IN_MESSAGE
from bridge.continuity.tails import Tail, kept_in
from tests.bridge.broker.histories import number_in
from tests.bridge.broker.parts import ANSWER_SECONDS, ARRIVED_AT, MAX_BYTES, heard_as, message, until
from tests.bridge.continuity.processes import GROUP, MOST_BYTES, TENANT, Process, one_process

MESSAGE: Callable[[bytes], Any] = Incoming(lambda: ARRIVED_AT, MAX_BYTES).message


async def tail(most_messages: int) -> Tail:
    return Tail(most_messages)


def kept(read_at: int, *numbers: int, whole_since: int = 0) -> Kept:
    return Kept(read_at, whole_since, 0, 1, [(number, heard_as(number)) for number in numbers])


def numbers_in(found: Kept | None) -> list[int]:
    assert found is not None
    return [number for number, _ in found.messages]


def group(process: Process) -> bytes:
    return process.addresses.group(TENANT, GROUP)


async def taken(process: Process) -> Tail:
    """The tail of the group, read."""
    one = process.continuity.tails.take(group(process))
    await asyncio.wait_for(asyncio.shield(one.is_over), ANSWER_SECONDS)
    return one


async def test_what_was_read_and_what_was_said_since_is_there_once_and_in_order() -> None:
    one = Tail(10)
    one.add([heard_as(3), heard_as(4)])
    assert one.now(5) is None
    one.add([heard_as(6)])
    one.read(kept(5, 2, 3, 4))
    one.add([heard_as(5), heard_as(7), heard_as(0)])
    found = one.now(6)
    assert numbers_in(found) == [2, 3, 4, 6, 7]
    assert (found and found.read_at, one.is_over.done()) == (7, True)
    assert one.size_bytes == sum(heard_as(number).size_bytes for number in (2, 3, 4, 6, 7))


async def test_how_far_it_reaches_is_what_is_known_to_be_handed_on() -> None:
    one = Tail(10)
    one.read(kept(5))
    assert [found.read_at for found in (one.now(4), one.now(9)) if found] == [5, 9]


@pytest.mark.parametrize("whole_since", [0, 1])
async def test_beyond_its_bound_it_forgets_the_oldest_and_is_whole_since_then(whole_since: int) -> None:
    one = Tail(3)
    one.read(kept(5, 2, 3, whole_since=whole_since))
    one.add([heard_as(6)])
    assert one.now(6) == Kept(6, whole_since, 0, 1, [(2, ANY), (3, ANY), (6, ANY)])
    one.add([heard_as(7), heard_as(8)])
    assert one.now(8) == Kept(8, 3, 0, 1, [(6, ANY), (7, ANY), (8, ANY)])
    assert one.size_bytes == 3 * heard_as(6).size_bytes


class _Any:
    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


ANY: Any = _Any()


async def test_what_it_forgot_before_it_was_read_is_not_taken_for_whole() -> None:
    one = Tail(2)
    one.add([heard_as(number) for number in (6, 7, 8)])
    one.read(kept(5, 4))
    found = one.now(8)
    assert found is not None
    assert not found.is_whole_since(5, 60)
    assert found.is_whole_since(6, 60)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 10), st.integers(1, 5))
def test_after_a_position_since_which_it_is_whole_it_has_everything(
    pauses: list[int], read_after: int, most_messages: int
) -> None:
    """Said one after the other; the history was read after some, and arrived after some more."""
    said = [sum(pauses[: index + 1]) + index + 1 for index in range(len(pauses))]
    history = said[:read_after]
    read_at = history[-1] if history else 0
    for arrives_after in range(read_after, len(said) + 1):
        one = asyncio.run(tail(most_messages))
        for number in said[:arrives_after]:
            one.add([heard_as(number)])
        one.read(kept(read_at, *history))
        for number in said[arrives_after:]:
            one.add([heard_as(number)])
        found = one.now(0)
        assert found is not None
        for position in range(1, found.read_at + 1):
            if found.is_whole_since(position, 60):
                assert [number for number, _ in found.after(position)] == [each for each in said if each > position]


async def test_all_who_need_it_share_one_reading(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        await process.subscriber.hold([group(process)])
        await process.say(group(process), "one")
        tails = [await taken(process) for _ in range(5)]
        assert process.continuity.tails.read == 1
        assert len({id(each) for each in tails}) == 1
        await process.say(group(process), "two")
        await process.settled()
        found = tails[0].now(0)
        assert found is not None
        assert [one.heard.msg for _, one in found.messages] == ["one", "two"]


async def test_it_is_dropped_some_time_after_the_last_has_given_it_back(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.01)
    async with one_process(redis_url, prefix) as process:
        tails, channel = process.continuity.tails, group(process)
        await process.subscriber.hold([channel])
        first, second = await taken(process), await taken(process)
        tails.give_back(channel, first)
        await asyncio.sleep(0.05)
        assert process.inbound.hub.has(channel)
        tails.give_back(channel, second)
        third = await taken(process)
        assert third is first
        await asyncio.sleep(0.05)
        assert process.inbound.hub.has(channel)
        tails.give_back(channel, third)
        await until(lambda: not process.inbound.hub.has(channel))
        assert await taken(process) is not first
        assert tails.read == 2


async def test_when_tails_hold_much_an_unused_one_goes_at_once(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    async with one_process(redis_url, prefix) as process:
        await process.subscriber.hold([group(process)])
        await process.say(group(process), "one")
        process.continuity.tails.give_back(group(process), await taken(process))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not process.inbound.hub.has(group(process))


@pytest.mark.parametrize("ended", ["released", "lost"])
async def test_a_tail_that_is_not_kept_up_with_any_more_is_known_as_such(
    redis_url: str, prefix: str, ended: str
) -> None:
    async with one_process(redis_url, prefix) as process:
        tails, channel = process.continuity.tails, group(process)
        await process.subscriber.hold([channel])
        one = await taken(process)
        if ended == "lost":
            process.subscriber.end_link()
            await until(lambda: one.kept is None)
        else:
            process.subscriber.release([channel])
        assert one.now(1) is None
        assert not process.inbound.hub.has(channel)
        tails.give_back(channel, one)
        await until(lambda: process.is_whole)
        await process.subscriber.hold([channel])
        assert await taken(process) is not one


async def test_where_there_is_no_redis_nothing_is_known(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        await process.subscriber.hold([group(process)])
        process.bus.leave("a test")
        one = await taken(process)
        assert one.now(1) is None


@pytest.mark.parametrize("command", [("SET", "x"), ("LPUSH", "x"), ("HSET", "a", "b")])
async def test_another_type_where_the_history_should_be_leaves_nothing_known(
    redis_url: str, prefix: str, redis: Redis, command: tuple[str, ...]
) -> None:
    async with one_process(redis_url, prefix) as process:
        await process.subscriber.hold([group(process)])
        name, *rest = command
        key = process.addresses.kept_under(group(process)) + b":history"
        await redis.execute_command(name, key, *rest)  # type: ignore[no-untyped-call]
        assert (await taken(process)).now(1) is None


@pytest.mark.parametrize("wild", [b"no JSON", b"", b"{}", b"\xff", message("x" * MAX_BYTES)])
async def test_what_is_no_message_in_a_history_is_left_out_and_counted(
    redis_url: str, prefix: str, redis: Redis, wild: bytes
) -> None:
    async with one_process(redis_url, prefix) as process:
        await process.subscriber.hold([group(process)])
        await process.say(group(process), "one")
        last = await number_in(redis, process.addresses.last_number)
        key = process.addresses.kept_under(group(process)) + b":history"
        await redis.xadd(key, {b"m": wild, b"and": b"more"}, id=f"{last}-7")
        skipped = unreadable.skipped["history"]
        with capture_logs() as logs:
            found = (await taken(process)).now(0)
        assert numbers_in(found) == [last]
        assert unreadable.skipped["history"] == skipped + 1
        assert [(line["event"], line["what"]) for line in logs] == [("unreadable_in_redis", "history")]


def test_a_reply_of_redis_is_read() -> None:
    entries = [[b"7-0", [b"m", message("one")]], [b"9-0", [b"m", message("two") + b"\nhi"]]]
    found = kept_in([b"12", b"3", b"4", b"5", entries], MESSAGE)
    assert (found.read_at, found.whole_since, found.unkept, found.begin) == (12, 3, 4, 5)
    assert [(number, one.number, one.v2_text) for number, one in found.messages] == [(7, 7, None), (9, 9, b"hi")]


@contextmanager
def unanswered(process: Process, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[Any], None]]]:
    """What is asked of Redis meanwhile is not answered but by the callbacks in this list."""
    answers: list[Callable[[Any], None]] = []
    with monkeypatch.context() as patch:
        patch.setattr(process.bus, "command", lambda _packed, done: answers.append(done))
        yield answers


async def test_few_histories_are_read_at_a_time_and_the_next_when_one_is_there(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with one_process(redis_url, prefix) as process:
        with unanswered(process, monkeypatch) as answers:
            channels = [process.addresses.group(TENANT, str(number)) for number in range(20)]
            taken = [process.continuity.tails.take(channel) for channel in channels]
            assert len(answers) == module.MOST_READ_TOGETHER
            answers[0]([b"5", b"0", b"0", b"1", []])
            answers[1](None)
            assert len(answers) == module.MOST_READ_TOGETHER + 2
            for number in range(2, len(channels)):
                answers[number]([b"5", b"0", b"0", b"1", []])
        assert len(answers) == len(channels)
        assert [number for number, one in enumerate(taken) if one.kept is None] == [1]


async def test_a_history_that_nobody_waits_for_any_more_is_not_read(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with one_process(redis_url, prefix) as process:
        with unanswered(process, monkeypatch) as answers:
            for number in range(module.MOST_READ_TOGETHER + 3):
                process.continuity.tails.take(process.addresses.group(TENANT, str(number)))
            process.continuity.tails.lose()
            for done in answers:
                done(None)
        assert len(answers) == module.MOST_READ_TOGETHER


async def test_of_a_history_no_more_is_read_than_can_be_sent(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        most = TEXTS_IN_MESSAGE * MOST_BYTES
        text = "x" * (MAX_BYTES // 2)
        for _ in range(most // len(text) + 2):
            await process.say(group(process), text)
        one = await taken(process)
        kept = one.now(0)
        assert kept is not None
        assert most - MAX_BYTES < one.size_bytes <= most
        assert 0 < kept.whole_since < kept.messages[0][0]
