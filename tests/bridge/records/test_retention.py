"""The bounds of the tables suit what is read from them."""

from __future__ import annotations

from bridge.records.retention import Tables


def test_the_bounds_are_the_operators_where_clients_are_kept_and_fit_the_drawing_where_time_is() -> None:
    every = Tables.bounded(7_000, 90)
    assert (every.census.most_rows, every.census.days) == (7_000, 90)
    assert (every.speeches.days, every.ledger.days) == (90, 90)
    protocols_and_kinds = 3 * 2
    assert every.minutes.days >= 1
    assert every.minutes.most_rows >= 24 * 60 * protocols_and_kinds
    assert every.hours.days >= 400
    assert every.hours.most_rows >= 400 * 24 * protocols_and_kinds
