"""Who gets a stream, what it takes, and why it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bridge.handshake import event_streams as module
from bridge.handshake.event_stream import EventStream
from bridge.handshake.event_streams import EventStreams
from bridge.handshake.subscriptions import Unavailable
from bridge.runtime.process import Process
from compat.identity import Names
from tests.bridge.assembled import assembled, numbers, started
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.handshake.streaming import TENANT, Reader, backend, streaming


@pytest.fixture
async def process(redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    async with assembled(redis_url, prefix) as process, started(process):
        yield process


@pytest.fixture
def streams(process: Process) -> EventStreams:
    return process.handshakes.event_streams


def taken(process: Process) -> tuple[int, int]:
    """Places that are taken, and channels of groups `a` and `b`."""
    channels = [process.broker.addresses.group(TENANT, name) for name in "ab"]
    held = process.broker.subscriber._channels
    return process.handshakes.tenant_limits.shares.taken, sum(channel in held for channel in channels)


async def test_a_stream_takes_a_place_and_its_channels_and_gives_them_back(process: Process) -> None:
    async with streaming(process, "a", "b"):
        assert taken(process) == (1, 2)
        assert numbers(process.handshakes)["bridge_event_streams", TENANT] == 1
    assert taken(process) == (0, 0)
    told = numbers(process.handshakes)
    assert told["bridge_event_streams_ended_total", "left"] == 1
    assert ("bridge_event_streams", TENANT) not in told


async def test_it_is_nobody_that_connects(process: Process) -> None:
    """In no presence, no census, no count of connections."""
    async with streaming(process, "a"):
        members: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        process.broker.presence.members(TENANT, "a", members.set_result)
        assert await asyncio.wait_for(members, ANSWER_SECONDS) == b"[]"
        assert len(process.messaging.connections) == 0
        assert process.messaging.connections.open_by_tenant() == {}


async def test_without_names_the_broadcasts_are_heard(process: Process) -> None:
    addresses = process.broker.addresses
    assert backend(process).channels == [addresses.broadcast(TENANT), addresses.platform_for(TENANT)]


@pytest.mark.parametrize(("most", "code"), [(0, "overloaded"), (8, "going_away"), (8, "bus_down")])
async def test_who_cannot_be_served_now_takes_nothing(
    process: Process, streams: EventStreams, most: int, code: str
) -> None:
    process.handshakes.tenant_limits.shares.bound(most, {})
    process.messaging.connections.is_closing = code == "going_away"
    if code == "bus_down":
        process.broker.subscriber.outage.doubt(0)
    with pytest.raises(Unavailable) as unavailable:
        await streams.open(backend(process, "a"), lambda: None)
    assert (unavailable.value.code, taken(process)) == (code, (0, 0))


async def test_who_goes_away_while_its_history_is_read_leaves_nothing(
    process: Process, streams: EventStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def for_ever(*_: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(process.continuity, "resume_in_order", for_ever)
    opening = asyncio.create_task(streams.open(backend(process, "a", since="@1"), lambda: None))
    await asked.wait()
    assert taken(process) == (1, 1)
    opening.cancel()
    await asyncio.wait([opening])
    assert taken(process) == (0, 0)


async def ended(stream: EventStream, reader: Reader) -> str:
    await reader.until(lambda one: one.is_complete)
    return stream.ended_with


async def test_a_stream_ends_with_its_key(process: Process) -> None:
    async with streaming(process, "a", key_digest="f" * 64) as (stream, reader):
        assert await ended(stream, reader) == "unauthenticated"


async def test_a_stream_ends_with_its_token(process: Process) -> None:
    async with streaming(process, "a", expires_at=time.time() + 0.1) as (stream, reader):
        assert await ended(stream, reader) == "token_expired"


async def change(process: Process, **changes: Any) -> None:
    """The tenant becomes another."""
    table = process.tenants.table
    table._tenants[TENANT] = replace(table.of(TENANT), **changes)


async def test_a_stream_ends_with_v3(process: Process) -> None:
    async with streaming(process, "a") as (stream, reader):
        await change(process, stage="legacy")
        assert await ended(stream, reader) == "stage_legacy"


async def test_a_stream_returns_when_a_name_has_come_to_mean_somebody_else(process: Process) -> None:
    async with streaming(process, "v2-7") as (stream, reader), streaming(process, "a") as (other, _):
        await change(process, names=Names({"7": "team"}))
        assert await ended(stream, reader) == "going_away"
        await change(process, v2_routing="group")
        for _ in range(3):
            await asyncio.sleep(module.LOOK_SECONDS)
        assert other.ended_with == "left"


async def test_all_end_when_the_process_does_and_it_waits_until_they_have_read_that(process: Process) -> None:
    async with streaming(process, "a") as (one, first), streaming(process, "b") as (two, second):
        second.takes.clear()
        closing = asyncio.create_task(process.messaging.connections.close_all(ANSWER_SECONDS))
        assert await ended(one, first) == "going_away"
        await until(lambda: taken(process) == (1, 1))
        assert not closing.done()
        second.takes.set()
        await asyncio.wait_for(closing, ANSWER_SECONDS)
        assert await ended(two, second) == "going_away"


async def test_who_does_not_read_keeps_no_process_from_ending(process: Process) -> None:
    async with streaming(process, "a") as (_, reader):
        reader.takes.clear()
        await process.messaging.connections.close_all(0.01)
        assert reader.aborted == 0
        process.messaging.connections.cutting_off()
        assert reader.aborted == 1


async def test_what_the_process_leaves_out_is_no_history_to_return_to(process: Process) -> None:
    channel = process.broker.addresses.group(TENANT, "a")
    async with streaming(process, "a"):
        tail = process.continuity.tails.take(channel)
        await asyncio.wait_for(tail.is_over, ANSWER_SECONDS)
        assert tail.now(1) is not None
        process.messaging.inbound.deliveries.leaving_out(channel)
        assert tail.now(1) is None
        process.continuity.tails.give_back(channel, tail)
        await until(lambda: process.continuity.tails.take(channel) is not tail)
