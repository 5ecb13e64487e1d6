"""Columns of plain text."""

from bridge.cli.table import columns


def test_each_column_is_as_wide_as_its_widest_cell_and_no_line_ends_in_blanks() -> None:
    assert columns([("A", "LONG", "X"), ("aaa", "b", "")]) == "A    LONG  X\naaa  b"


def test_each_line_is_indented() -> None:
    assert columns([("a", "b"), ("c", "d")], indent="  ") == "  a  b\n  c  d"


def test_no_rows_are_no_lines() -> None:
    assert columns([]) == ""
