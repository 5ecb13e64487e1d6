"""What waits for Redis: a row is noted once, whatever was noted of it, and in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.records.page import Page
from bridge.records.rows import Noted
from bridge.records.store import rolls

ROLL = rolls(100, 35).census
OTHER = rolls(100, 35).speeches

noted = st.builds(Noted, st.sampled_from("abc"), st.integers(0, 50), st.integers(50, 99), st.integers(0, 9))


@given(st.lists(noted))
def test_a_row_has_the_first_and_the_last_time_and_all_that_was_counted(rows: list[Noted]) -> None:
    page = Page()
    new = [page.note(ROLL, one) for one in rows]
    waiting = page.rows[ROLL]
    assert sum(new) == len(waiting) == len({one.key for one in rows})
    for key, row in waiting.items():
        same = [one for one in rows if one.key == key]
        assert (row.first, row.last) == (min(one.first for one in same), max(one.last for one in same))
        assert row.count == sum(one.count for one in same)


def test_the_newest_remark_counts_and_silence_is_no_remark() -> None:
    page = Page()
    for remark in ("kiosk/1", "kiosk/2", ""):
        page.note(ROLL, Noted("a", 1, 1, 0, remark))
    assert page.rows[ROLL]["a"].remark == "kiosk/2"


def test_the_rolls_are_kept_apart() -> None:
    page = Page()
    assert page.note(ROLL, Noted("a", 1, 1, 1))
    assert page.note(OTHER, Noted("a", 2, 2, 1))
    assert page.rows[ROLL]["a"].first == 1
