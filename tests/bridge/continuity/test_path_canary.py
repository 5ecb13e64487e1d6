"""A canary tells how long a message takes, and that a process is deaf; whatever others say there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client.core import HistogramMetricFamily
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bridge.continuity import path_canary as module
from bridge.continuity.path_canary import PathCanary, Times
from tests.bridge.assembled import numbers
from tests.bridge.broker.parts import Answers, message, running, until
from tests.bridge.continuity.processes import Process, one_process, processes


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANARY_SECONDS", 0.02)


def counts(canary: PathCanary) -> tuple[float, float]:
    """How many of its own it has heard, and how many of its siblings."""
    samples = {
        one.labels["origin"]: one.value
        for each in canary.metrics()
        for one in each.samples
        if one.name.endswith("_count")
    }
    return samples["own"], samples["sibling"]


async def test_each_process_hears_its_own_and_its_siblings(redis_url: str, prefix: str) -> None:
    async with processes(2, redis_url, prefix) as both:
        for process in both:
            await until(lambda canary=process.continuity.canary: min(counts(canary)) >= 3)  # type: ignore[misc]
            assert process.continuity.canary.deaf_seconds < 1
            assert not process.continuity.canary.is_deaf
            assert process.broker.subscriber.rejected == {}


async def test_what_is_measured_is_told_in_buckets(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        await until(lambda: counts(process.continuity.canary)[0])
        told = numbers(process.continuity)
        own = [value for name, value in told.items() if name[0] == "bridge_path_seconds_bucket" and "own" in name]
        assert len(own) == len(module.BUCKETS_SECONDS) + 1
        assert own == sorted(own)
        assert own[-1] == told["bridge_path_seconds_count", "own"] > 0


def test_a_time_is_in_the_first_bucket_that_it_fits() -> None:
    times = Times()
    for seconds in (0.0, 0.001, 0.0011, 9.9, 60.0):
        times.note(seconds)
    family = HistogramMetricFamily("x", "y", labels=("origin",))
    times.add_to(family, "own")
    buckets = {one.labels["le"]: one.value for one in family.samples if one.name == "x_bucket"}
    assert (buckets["0.001"], buckets["0.0025"], buckets["5.0"], buckets["10.0"], buckets["+Inf"]) == (2, 3, 3, 4, 5)


class Deaf:
    """A canary whose words are taken and not heard, or not even taken; what it did about it."""

    def __init__(self, process: Process) -> None:
        self.heard_by: int | None = 1
        self.lost = Answers()
        hearing = process.subscriber, process.inbound.hub, process.addresses
        self.canary = PathCanary(self._publish, *hearing, "deaf", process.microseconds)
        self.canary.lost.add(self.lost)

    def _publish(self, _channels: Sequence[bytes], _data: bytes, done: Any) -> None:
        done(self.heard_by)


@asynccontextmanager
async def deaf(process: Process) -> AsyncIterator[Deaf]:
    one = Deaf(process)
    async with running(one.canary):
        yield one


async def test_who_does_not_hear_what_redis_has_taken_is_deaf_and_makes_its_link_anew(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEAF_SECONDS", 0.1)
    async with one_process(redis_url, prefix) as process:
        with capture_logs() as logs:
            async with deaf(process) as one:
                await until(lambda: process.subscriber.reconnects)
                assert one.canary.is_deaf
                assert one.lost.empty()
        assert "process_is_deaf" in [line["event"] for line in logs]


async def test_who_is_deaf_for_long_sends_its_clients_away_and_begins_anew(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEAF_SECONDS", 0.05)
    monkeypatch.setattr(module, "LOST_SECONDS", 0.1)
    async with one_process(redis_url, prefix) as process, deaf(process) as one:
        await one.lost.next()
        assert one.canary.deaf_seconds < 0.1
        await one.lost.next()


async def test_while_redis_takes_nothing_nobody_is_deaf(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process, deaf(process) as one:
        one.heard_by = None
        await until(lambda: one.canary._serial > 3)
        assert one.canary.deaf_seconds < 0.06  # the first was taken


async def test_what_was_never_heard_is_not_remembered_for_ever(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_UNHEARD", 3)
    monkeypatch.setattr(module, "CANARY_SECONDS", 0.0)
    async with one_process(redis_url, prefix) as process, deaf(process) as one:
        await until(lambda: one.canary._serial > 20)
        assert (len(one.canary._unheard), len(one.canary._said_at)) == (3, 3)


WILD: dict[str, dict[str, object]] = {
    "no time": {"sent_at": "soon"},
    "an ancient time": {"sent_at": "0001-01-01T00:00:00"},
    "nothing": {},
    "another word": {"cmd": "OTHER"},
    "a serial that is none": {"payload": {"process": "P", "serial": "7"}},
    "a truth": {"payload": {"process": "P", "serial": True}},
    "a huge serial": {"payload": {"process": "P", "serial": 10**30}},
    "lists": {"payload": {"process": [], "serial": {}}},
    "no payload": {"payload": None},
}


@pytest.mark.parametrize("what", WILD)
async def test_whatever_another_program_says_there_harms_nobody(
    redis_url: str, prefix: str, redis: Redis, what: str
) -> None:
    async with one_process(redis_url, prefix) as process:
        await until(lambda: counts(process.continuity.canary)[0])
        wild: Any = {"msg_type": "cmd", "target": "broadcast", "cmd": module.PATH, **WILD[what]}
        said = message("wild", **wild).replace(b'"P"', b'"%b"' % process.broker.process.encode())
        with capture_logs() as logs:
            assert await redis.publish(process.addresses.path, said) == 1
            own, _ = counts(process.continuity.canary)
            await until(lambda: counts(process.continuity.canary)[0] > own + 2)
        assert logs == []
        assert process.subscriber.rejected == {}
        assert not process.continuity.canary.is_deaf


async def test_it_leaves_nothing_behind(redis_url: str, prefix: str) -> None:
    async with one_process(redis_url, prefix) as process:
        await until(lambda: counts(process.continuity.canary)[0])
        before = process.subscriber.channels
        async with deaf(process):
            await asyncio.sleep(0.05)
        assert process.subscriber.channels == before
        assert len(process.inbound.hub.listeners) == 1
