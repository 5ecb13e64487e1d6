"""Columns of plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.table import columns, counted
from bridge.system.visible import visible


def test_each_column_is_as_wide_as_its_widest_cell_and_no_line_ends_in_blanks() -> None:
    assert columns([("A", "LONG", "X"), ("aaa", "b", "")]) == "A    LONG  X\naaa  b"


def test_each_line_is_indented() -> None:
    assert columns([("a", "b"), ("c", "d")], indent="  ") == "  a  b\n  c  d"


def test_no_rows_are_no_lines() -> None:
    assert columns([]) == ""


@pytest.mark.parametrize(
    ("name", "places"),
    [
        *(("漢字", 4), ("😀", 2), ("한글", 4), ("🇩🇪", 2), ("é", 1), ("e\u0301", 1), ("कि", 2), ("ﷺ", 1), ("=1+1", 4)),
        *(("👩\u200d👧", 4 + len(r"\u{200d}")), ("\u0301", len(r"\u{301}"))),
    ],
)
def test_a_column_is_as_wide_as_a_terminal_shows_it(name: str, places: int) -> None:
    first, second = columns([(name, "x"), ("a" * 20, "x")]).split("\n")
    assert first == f"{visible(name)}{' ' * (20 - places)}  x"
    assert second == f"{'a' * 20}  x"


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), min_size=1))
def test_no_cell_makes_a_row(rows: list[tuple[str, str]]) -> None:
    text = columns(rows)
    assert text.count("\n") == len(rows) - 1
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(("number", "said"), [(0, "0 ids"), (1, "1 id"), (2, "2 ids"), (12_345, "12,345 ids")])
def test_a_number_of_things_is_said_as_people_say_it(number: int, said: str) -> None:
    assert counted(number, "id") == said
