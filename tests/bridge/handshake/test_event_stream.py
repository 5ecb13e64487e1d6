"""What one stream says, from its first words to its last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from bridge.budget.drain import OutboxBounds
from bridge.handshake.event_stream import LEFT, LOOKS_PER_KEEP_ALIVE, RETRY_MS
from bridge.handshake.event_streams import EventStreams
from bridge.messaging.connections import RETRY_AFTER_MS
from bridge.messaging.gaps import gap_message
from bridge.runtime.process import Process
from bridge.sockets.server_sent_events import KEEP_ALIVE
from tests.bridge.assembled import assembled, started
from tests.bridge.broker.parts import until
from tests.bridge.handshake.streaming import TENANT, Reader, backend, say, streaming
from tests.bridge.population import NOW

NO_ADVICE = str(RETRY_MS)


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    async with assembled(redis_url, prefix) as process, started(process):
        yield process


def texts(reader: Reader) -> list[str]:
    return [json.loads(event.data)["msg"] for event in reader.events if not event.event]


async def test_it_begins_with_when_to_return_and_soon_says_from_where(process: Process) -> None:
    async with streaming(process, "a") as (_, reader):
        await reader.until_placed()
        first, second = reader.blocks
        assert (first.retry, first.id, first.data) == (NO_ADVICE, "@0", "")
        assert second == second._replace(data="", event="", retry="", comment="")


async def test_each_event_is_a_message_with_a_position_that_grows(process: Process) -> None:
    async with streaming(process, "a", "b") as (_, reader):
        for number in range(6):
            await say(process, "ab"[number % 2], f"{number}")
        await reader.until(lambda one: len(one.events) == 6)
        assert texts(reader) == ["0", "1", "2", "3", "4", "5"]
        positions = [int(event.id.removeprefix("@"), 36) for event in reader.events]
        assert positions == sorted(set(positions))


async def test_whoever_returns_is_said_what_it_missed_and_then_what_is_new(process: Process) -> None:
    async with streaming(process, "a", "b") as (_, reader):
        await reader.until_placed()
        await say(process, "a", "heard")
        await reader.until(lambda one: one.events)
    for group in "abc":
        await say(process, group, f"missed by {group}")
    async with streaming(process, "a", "b", since=reader.position) as (_, back):
        await say(process, "b", "new")
        await back.until(lambda one: len(one.events) == 3)
        assert texts(back) == ["missed by a", "missed by b", "new"]
        assert back.blocks[0] == (back.blocks[0]._replace(data="", event="", id="", comment=""))
    assert process.continuity.resumed == {"complete": 1, "incomplete": 0}


@pytest.mark.parametrize("since", ["@0", "nothing", "@zzzzzzzzzzz", "2026-01-01T00:00:00.000000Z"])
async def test_where_it_is_not_known_what_was_missed_that_is_said_first(process: Process, since: str) -> None:
    await say(process, "a", "missed")
    async with streaming(process, "a", since=since) as (_, reader):
        await say(process, "a", "new")
        await reader.until(lambda one: len(one.events) == 2)
        gap = reader.events[0]
        assert (gap.event, gap.id) == ("gap", "")
        told = json.loads(gap.data)
        assert (told["cmd"], told["target"]) == ("GAP", "echo")
        assert told["payload"]["from"] <= told["payload"]["to"] == told["sent_at"]
        assert texts(reader) == ["new"]


async def test_more_than_may_wait_is_not_said_to_who_returns(process: Process) -> None:
    async with streaming(process, "a") as (_, reader):
        await reader.until_placed()
    await say(process, "a", "x" * 2_000)
    process.continuity.most_bytes = 1_000
    async with streaming(process, "a", since=reader.position) as (_, back):
        await back.until(lambda one: one.events)
        assert [event.event for event in back.events] == ["gap"]


async def test_a_gap_that_is_told_before_its_position_is_known_takes_none_away(process: Process) -> None:
    async with streaming(process, "a") as (_, reader):
        await reader.until_placed()
    async with streaming(process, "a", since=reader.position) as (_, back):
        await back.until(lambda one: one.blocks)
        process.messaging.inbound.hub.tell_everyone([gap_message(NOW, NOW)])
        await back.until(lambda one: one.events)
        assert back.events[0].id != "@0"


async def test_a_gap_that_all_are_told_of_is_an_event_of_its_own(process: Process) -> None:
    async with streaming(process, "a", "b") as (_, reader):
        await reader.until_placed()
        process.messaging.inbound.hub.tell_everyone([gap_message(NOW, NOW)])
        await reader.until(lambda one: one.events)
        await say(process, "a", "after")
        await reader.until(lambda one: len(one.events) == 2)
        assert [event.event for event in reader.events] == ["gap", ""]
        assert reader.events[0].id == reader.blocks[1].id


async def test_a_quiet_stream_says_that_it_lives_and_a_fresh_position(process: Process) -> None:
    async with streaming(process, "a") as (stream, reader):
        await reader.until_placed()
        before = reader.position
        for _ in range(LOOKS_PER_KEEP_ALIVE):
            assert KEEP_ALIVE not in reader.body
            stream.look()
        await reader.until(lambda one: one.position != before)
        assert reader.blocks[-2].comment == KEEP_ALIVE.decode().strip()
        assert int(reader.position.removeprefix("@"), 36) > int(before.removeprefix("@"), 36)


async def test_it_ends_with_its_reason_and_when_to_return(process: Process) -> None:
    async with streaming(process, "a") as (stream, reader):
        await say(process, "a", "last")
        await reader.until(lambda one: one.events)
        stream.end("going_away")
        stream.end("forbidden")
        await say(process, "a", "too late")
        await reader.until(lambda one: one.is_complete)
        end = reader.events[-1]
        told = json.loads(end.data)
        assert (end.event, end.id, told["cmd"], told["payload"]["code"]) == ("end", "", "ERROR", "going_away")
        assert RETRY_AFTER_MS[0] <= int(end.retry) == told["payload"]["retry_after_ms"] <= RETRY_AFTER_MS[1]
        assert (texts(reader), stream.ended_with) == (["last"], "going_away")


async def test_who_does_not_read_is_ended_and_returns_to_where_it_stopped(process: Process) -> None:
    process.handshakes.event_streams.bounds = OutboxBounds(100_000, 0)
    async with streaming(process, "a") as (stream, reader):
        await reader.until_placed()
        reader.takes.clear()
        for number in range(60):
            await say(process, "a", f"{number} " + "x" * 10_000)
        await until(lambda: stream.ended_with == "slow_consumer")
        assert stream.outbox.waiting_bytes() == 0
        reader.takes.set()
        await reader.until(lambda one: one.is_complete)
    heard = texts(reader)
    async with streaming(process, "a", since=reader.position) as (_, back):
        await back.until(lambda one: len(heard) + len(texts(one)) == 60)
        assert [int(text.split()[0]) for text in heard + texts(back)] == list(range(60))


async def test_where_there_is_no_history_no_position_is_known(redis_url: str, prefix: str) -> None:
    async with assembled(redis_url, prefix, history_seconds=0) as process, started(process):
        async with streaming(process, "a") as (_, reader):
            await say(process, "a", "one")
            await reader.until(lambda one: one.events)
            assert {block.id for block in reader.blocks} == {"@0", ""}
        async with streaming(process, "a", since=reader.position) as (_, back):
            await back.until(lambda one: one.events)
            assert back.events[0].event == "gap"


async def test_a_stream_that_is_lost_before_it_began_takes_nothing_along(process: Process) -> None:
    streams: EventStreams = process.handshakes.event_streams
    stream = await streams.open(backend(process, "a", since="@1"), lambda: None)
    streams.close(stream)
    stream.lost()
    await asyncio.sleep(0)
    assert stream.ended_with == LEFT
    assert process.messaging.inbound.hub.number_of(process.broker.addresses.group(TENANT, "a")) == 0
    assert process.broker.addresses.group(TENANT, "a") not in process.messaging.inbound.hub._channels
