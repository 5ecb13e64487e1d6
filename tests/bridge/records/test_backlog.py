"""What waits for Redis: a row is noted once, whatever was noted of it, and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.records import backlog as backlogs
from bridge.records.backlog import Backlog
from bridge.records.retention import Tables
from bridge.records.rows import Noted

STORE = Tables.bounded(100, 35)
TABLE, OTHER, TENANT = STORE.census, STORE.speeches, "acme"

noted = st.builds(Noted, st.sampled_from("abc"), st.integers(0, 50), st.integers(50, 99), st.integers(0, 9))


@given(st.lists(noted))
def test_a_row_has_the_first_and_the_last_time_and_all_that_was_counted(rows: list[Noted]) -> None:
    backlog = Backlog()
    for one in rows:
        backlog.note(TABLE, TENANT, one)
    assert backlog.waiting == len({one.key for one in rows})
    waiting = backlog.take()[TENANT, TABLE]
    assert len(waiting) == len({one.key for one in rows})
    for key, row in waiting.items():
        same = [one for one in rows if one.key == key]
        assert (row.first, row.last) == (min(one.first for one in same), max(one.last for one in same))
        assert row.count == sum(one.count for one in same)
    assert backlog.waiting == 0


def test_the_newest_remark_counts_and_silence_is_no_remark() -> None:
    backlog = Backlog()
    for remark in ("kiosk/1", "kiosk/2", ""):
        backlog.note(TABLE, TENANT, Noted("a", 1, 1, 0, remark))
    assert backlog.take()[TENANT, TABLE]["a"].remark == "kiosk/2"


def test_tables_and_tenants_are_kept_apart() -> None:
    backlog = Backlog()
    for number, (tenant, table) in enumerate([(TENANT, TABLE), (TENANT, OTHER), ("other", TABLE)]):
        backlog.note(table, tenant, Noted("a", number, number, 1))
    assert backlog.waiting == 3
    assert [(*where, rows["a"].first) for where, rows in backlog.take().items()] == [
        (TENANT, TABLE, 0),
        (TENANT, OTHER, 1),
        ("other", TABLE, 2),
    ]


def test_beyond_its_bound_what_is_noted_is_counted_as_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlogs, "MOST_WAITING", 2)
    backlog = Backlog()
    for key in ("a", "b", "c", "a"):
        backlog.note(TABLE, TENANT, Noted(key, 1, 1, 1))
    assert (backlog.waiting, backlog.left_out) == (2, 2)
    assert set(backlog.take()[TENANT, TABLE]) == {"a", "b"}
