"""What one process has at a real Redis, from its first link to its last words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from bridge.broker import part as module
from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.part import Broker
from tests.bridge.assembled import numbers
from tests.bridge.broker.parts import ANSWER_SECONDS, MAX_BYTES, Answers, running, unheard_broker, until
from tests.bridge.broker.people import place, witnessing
from tests.ports import free_port
from tests.stopwatch import within


@pytest.fixture
async def broker(redis_url: str, prefix: str) -> AsyncIterator[Broker]:
    """A broker whose links are open."""
    one = unheard_broker(redis_url, prefix)
    async with one.redis, running(*one.tasks()):
        await one.start()
        yield one


@pytest.fixture
def _nothing_skipped() -> Iterator[None]:
    """What other tests had counted as unreadable is put aside: the count is the whole process's."""
    before = unreadable.skipped.copy()
    unreadable.skipped.clear()
    yield
    unreadable.skipped.clear()
    unreadable.skipped.update(before)


async def enter(broker: Broker, client: str) -> None:
    entered = Answers()
    broker.presence.enter(place(client), entered)
    await entered.next()


async def test_once_started_it_has_a_link_and_a_lease_under_its_name(
    broker: Broker, redis: Redis, addresses: Addresses
) -> None:
    assert broker.bus.is_up
    await broker.bus.wait_until_answered()
    assert await redis.zrange(addresses.processes, 0, -1) == [broker.process.encode()]
    assert f"aether-bridge-{broker.process}" in {link["name"] for link in await redis.client_list()}


async def test_where_there_is_no_redis_it_starts_without(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_LINK_SECONDS", 0.01)
    broker = unheard_broker(f"redis://127.0.0.1:{free_port()}/0", prefix)
    async with broker.redis, running(broker.bus):
        await broker.start()
        assert not broker.bus.is_up


async def test_two_processes_are_two_names_at_redis(redis_url: str, prefix: str) -> None:
    first, second = (unheard_broker(redis_url, prefix) for _ in range(2))
    async with first.redis, second.redis:
        assert first.process != second.process


async def test_what_it_stops_with_is_a_leave_for_each_and_none_of_its_names_is_left(
    redis_url: str, prefix: str, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", ANSWER_SECONDS)
    broker = unheard_broker(redis_url, prefix, presence_events_members=10)
    async with broker.redis, witnessing(redis_url, prefix) as witness:
        async with running(*broker.tasks()):
            await broker.start()
            await enter(broker, "ann")
            broker.presence.leave(place("ann"))
            await broker.stop()
        assert [await witness.event() for _ in range(2)] == [("JOIN", "ann"), ("LEAVE", "ann")]
    assert [key async for key in redis.scan_iter(f"{prefix}:*")] == [addresses.memory.encode()]


async def test_whoever_never_leaves_does_not_keep_it_from_stopping(
    broker: Broker, redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease stays, so that another process says LEAVE."""
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", 0.01)
    await enter(broker, "ann")
    async with within(ANSWER_SECONDS):
        await broker.stop()
    assert await redis.zscore(addresses.processes, broker.process) is not None


async def test_when_redis_does_not_know_its_process_any_more_what_was_lost_is_looked_for(
    broker: Broker, redis: Redis, addresses: Addresses
) -> None:
    lost = Answers()
    broker.data_loss_mark.lost.add(lost)
    for _ in range(2):
        await broker.bus.wait_until_answered()
    await redis.delete(addresses.processes, addresses.memory)
    broker.leases.renew()
    assert await lost.next() is True
    assert numbers(broker)["bridge_redis_data_lost_total"] == 1


@pytest.mark.usefixtures("_nothing_skipped")
async def test_all_that_is_counted_here_is_told(redis_url: str, prefix: str) -> None:
    broker = unheard_broker(redis_url, prefix)
    broker.bus.published, broker.bus.replies.failed = 1, 2
    broker.subscriber.outage.gaps = 3
    broker.presence.failures, broker.events.suppressed, broker.leases.swept = 4, 5, 6
    unreadable.skipped["holder"] = 7
    broker.data_loss_mark.losses = 8
    async with broker.redis:
        assert {key: number for key, number in numbers(broker).items() if number} == {
            "bridge_bus_published_total": 1,
            "bridge_bus_failed_total": 2,
            "bridge_gaps_total": 3,
            "bridge_presence_failures_total": 4,
            "bridge_presence_events_suppressed_total": 5,
            "bridge_processes_swept_total": 6,
            ("bridge_redis_unreadable_total", "holder"): 7,
            "bridge_redis_data_lost_total": 8,
        }


async def test_the_links_and_what_comes_by_them_are_told(broker: Broker, redis: Redis, addresses: Addresses) -> None:
    await broker.subscriber.hold([addresses.platform])
    await redis.publish(addresses.platform.decode(), b"x" * (MAX_BYTES + 1))
    await until(lambda: broker.subscriber.received)
    told = numbers(broker)
    assert [told[name] for name in ("bridge_bus_up", "bridge_subscriber_up", "bridge_channels")] == [1, 1, 1]
    assert told["bridge_bus_received_total"] == told["bridge_bus_rejected_total", "too_big"] == 1
    assert [told["bridge_redis_reconnects_total", link] for link in ("bus", "subscriber")] == [0, 0]
