"""A cursor holds a connection's positions, and any other text holds none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.continuity.positions import (
    KINDS,
    MOST_CHARACTERS,
    MOST_MICROSECONDS,
    OWN,
    UNKNOWN,
    base_36,
    cursor_at,
    cursor_of,
    number_in,
    positions_in,
    time_of,
)

NUMBERS = st.integers(0, 36**13 - 1)
NOW = 1_767_261_600_000_000


@given(st.lists(NUMBERS, min_size=1, max_size=len(KINDS)))
def test_there_and_back(numbers: list[int]) -> None:
    cursor = cursor_of(numbers)
    assert len(cursor) <= MOST_CHARACTERS
    assert positions_in(cursor) == dict(zip(KINDS, numbers, strict=False))


def test_a_cursor_needs_no_escape_in_an_address() -> None:
    assert cursor_of([NOW, NOW + 1, 0, 35]) == "@g.hefwrraps0-c.hefwrraps1-b.0-p.z"


@given(NUMBERS)
def test_a_number_is_written_as_python_reads_it(number: int) -> None:
    assert int(base_36(number), 36) == number


@given(st.text())
@example("@")
@example("@g.")
@example("@g.1-")
@example("@g.A")
@example("@x.1")
@example("@g.1\n")
@example("@g.\N{ARABIC-INDIC DIGIT ONE}")
@example("@" + "-".join(["g.1"] * 40))
@example("@g.zzzzzzzzzzzzzz")
def test_any_other_text_has_no_positions(text: str) -> None:
    if (positions := positions_in(text)) is not None:
        assert text.startswith("@")
        assert positions.keys() <= set(KINDS)
    else:
        assert time_of(text) == ""


@pytest.mark.parametrize("text", ["", UNKNOWN, "2026-01-01T10:00:00.000000Z", "@g.1 ", "@g1", "g.1"])
def test_what_is_no_cursor_is_known_as_such(text: str) -> None:
    assert positions_in(text) is None


def test_the_time_of_a_cursor_is_that_of_its_earliest_position() -> None:
    assert time_of(cursor_of([NOW + 5, NOW, NOW + 9])) == "2026-01-01T10:00:00.000000Z"


@pytest.mark.parametrize("earliest", [0, MOST_MICROSECONDS, 36**13 - 1])
def test_a_cursor_whose_earliest_position_is_no_time_has_none(earliest: int) -> None:
    assert time_of(cursor_of([earliest] * 4)) == ""


def test_the_clients_own_channel_has_its_place() -> None:
    assert KINDS[OWN] == "c"


@given(st.integers(1, 2**60))
def test_one_number_may_be_the_position_on_all_channels(number: int) -> None:
    cursor = cursor_at(number)
    assert (number_in(cursor), positions_in(cursor)) == (number, None)
    assert len(cursor) <= MOST_CHARACTERS


@pytest.mark.parametrize("text", ["", "@", "@0", "@-", "@G", "@ 1", "@1 ", "1", "@" + "1" * 14, cursor_of([1, 2])])
def test_what_is_no_such_cursor_has_no_number(text: str) -> None:
    assert number_in(text) == 0


def test_where_a_position_is_not_known_its_number_is_none() -> None:
    assert cursor_at(0) == "@0"


def test_a_cursor_tells_its_time() -> None:
    assert time_of(cursor_at(1_767_225_600_000_000)) == "2026-01-01T00:00:00.000000Z"
    assert time_of(cursor_at(36**13 - 1)) == ""
