"""What one process records, assembled as a process assembles it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from bridge.records.counters import Counts
from bridge.records.part import RecordOptions, Records
from bridge.records.refused_clients import RefusedClient
from bridge.records.v2 import V2Recording
from bridge.tenants.part import Tenants
from tests.bridge.admin.desk import TENANT, Desk, noted, now, v2
from tests.bridge.assembled import numbers
from tests.bridge.broker.parts import running, unheard_broker
from tests.bridge.records.book import OLD


class Recorded:
    """The records of a process of which only the bus runs, V2's among them, and a desk that reads them."""

    def __init__(self, records: Records, of_v2: V2Recording, desk: Desk) -> None:
        self.records = records
        self.of_v2 = of_v2
        self.desk = desk

    async def write(self) -> None:
        """What a process does when it stops."""
        await self.records.stop()
        await self.desk.settled()


@pytest.fixture
async def recorded(redis_url: str, prefix: str) -> AsyncIterator[Recorded]:
    broker, counts = unheard_broker(redis_url, prefix), Counts()
    records = Records(RecordOptions(True, 1_000, 35), broker, Tenants(broker, {}, tuple), counts, dict)
    of_v2 = V2Recording(records.tables, records.backlog, counts, lambda _: frozenset(), time.time)
    records.writer.add(of_v2)
    async with running(broker.bus), broker.redis:
        await broker.start()
        yield Recorded(records, of_v2, Desk(broker.redis, broker.bus, broker.addresses))


async def test_what_is_recorded_in_each_way_is_written(recorded: Recorded) -> None:
    records, desk = recorded.records, recorded.desk
    records.recorder.arrived(TENANT, OLD, "kiosk/1")
    recorded.of_v2.frame_keys.read(TENANT, {"volume": 3})
    records.counts.messages[TENANT, "v2"] += 1
    records.counts.conversions[TENANT, "v2_to_v3", "exact"] += 1
    await recorded.write()
    every = records.tables
    tables = (every.census, every.speeches, every.ledger, every.minutes, every.hours)
    assert [len(await desk.noted(table)) for table in tables] == [1, 0, 2, 1, 1]
    assert records.backlog.waiting == 0


async def test_a_client_that_was_refused_is_written_too(recorded: Recorded) -> None:
    desk = recorded.desk
    await desk.note(desk.tables.census, noted(v2("42"), now()))
    recorded.records.refused_clients.refused(RefusedClient.of(TENANT, v2("42"), "moved_to_v3", "kiosk/1", ""))
    await recorded.write()
    assert len(await desk.noted(desk.tables.refused)) == 1


async def test_each_tenant_that_redis_has_lost_hears_of_it_and_the_connected_are_noted_again(
    recorded: Recorded,
) -> None:
    recorded.records.recorder.arrived(TENANT, OLD, "kiosk/1")
    await recorded.write()
    recorded.records.writer.lost(TENANT, "census")
    assert recorded.records.backlog.waiting == 1


async def test_rows_that_wait_and_what_could_not_be_recorded_are_told(recorded: Recorded) -> None:
    names = ("bridge_records_waiting_rows", "bridge_records_left_out_total")
    assert [numbers(recorded.records)[name] for name in names] == [0, 0]
    recorded.records.recorder.arrived(TENANT, OLD, "kiosk/1")
    recorded.records.backlog.left_out = 7
    assert [numbers(recorded.records)[name] for name in names] == [1, 7]


@pytest.mark.parametrize("days", [36, -36])
async def test_a_process_whose_clock_is_wrong_throws_nothing_away_and_keeps_what_is_its_own(
    recorded: Recorded, redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """What is too old goes by the clock of Redis, and so does what a process notes."""
    recorded.records.recorder.arrived(TENANT, v2("42"), "kiosk/1")
    await recorded.write()
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + days * 86_400)
    broker, counts = unheard_broker(redis_url, prefix), Counts()
    wrong = Records(RecordOptions(True, 1_000, 35), broker, Tenants(broker, {}, tuple), counts, dict)
    async with running(broker.bus), broker.redis:
        await broker.start()
        await broker.bus.wait_until_answered()
        wrong.recorder.arrived(TENANT, v2("43"), "kiosk/2")
        await wrong.stop()
        await broker.bus.wait_until_answered()
        await broker.bus.wait_until_answered()
        by_wrong = await wrong.reader.rows(wrong.tables.census, TENANT)
    monkeypatch.undo()
    by_right = await recorded.records.reader.rows(recorded.records.tables.census, TENANT)
    assert {row.key for row in by_right} == {row.key for row in by_wrong} == {v2("42").key(), v2("43").key()}
    assert all(abs(row.last / 1_000 - time.time()) < 60 for row in by_right)
