"""What one process records, assembled as a process assembles it."""

from __future__ import annotations

from bridge.records.backlog import Backlog
from bridge.records.counters import Counts
from bridge.records.recording import Recording
from bridge.records.v2 import V2Recording
from tests.bridge.admin.desk import TENANT, Desk, noted, now, v2
from tests.bridge.records.book import OLD


async def test_what_is_recorded_in_each_way_is_written(desk: Desk) -> None:
    counts, backlog = Counts(), Backlog()
    of_v2 = V2Recording(desk.bus, desk.addresses, desk.tables, backlog, counts, lambda _: frozenset())
    recording = Recording(desk.bus, desk.addresses, desk.tables, backlog, counts, dict, of_v2)
    recording.recorder.arrived(TENANT, OLD, "kiosk/1")
    of_v2.frame_keys.read(TENANT, {"volume": 3})
    counts.messages[TENANT, "v2"] += 1
    counts.conversions[TENANT, "v2_to_v3", "exact"] += 1
    recording.writer.flush()
    await desk.settled()
    every = desk.tables
    tables = (every.census, every.speeches, every.ledger, every.minutes, every.hours)
    assert [len(await desk.noted(table)) for table in tables] == [1, 0, 2, 1, 1]
    assert backlog.waiting == 0


async def test_whom_a_stage_turned_away_is_written_too(desk: Desk) -> None:
    backlog = Backlog()
    of_v2 = V2Recording(desk.bus, desk.addresses, desk.tables, backlog, Counts(), lambda _: frozenset())
    recording = Recording(desk.bus, desk.addresses, desk.tables, backlog, Counts(), dict, of_v2)
    await desk.note(desk.tables.census, noted(v2("42"), now()))
    of_v2.turned_away.add(TENANT, v2("42"))
    recording.writer.flush()
    await desk.settled()
    slices = [name async for name in desk.redis.scan_iter(f"{desk.addresses.prefix}*:refused:*")]
    assert [await desk.redis.pfcount(name) for name in slices] == [1]
