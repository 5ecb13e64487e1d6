"""Columns of plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.table import columns, counted, visible


def test_each_column_is_as_wide_as_its_widest_cell_and_no_line_ends_in_blanks() -> None:
    assert columns([("A", "LONG", "X"), ("aaa", "b", "")]) == "A    LONG  X\naaa  b"


def test_each_line_is_indented() -> None:
    assert columns([("a", "b"), ("c", "d")], indent="  ") == "  a  b\n  c  d"


def test_no_rows_are_no_lines() -> None:
    assert columns([]) == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *(("alice", "alice"), ("a b", "a b"), ("é🜁漢", "é🜁漢"), ("", "")),
        *(("\x1b]0;x\x07", r"\u{1b}]0;x\u{7}"), ("a\nb\r\tc", r"a\u{a}b\u{d}\u{9}c"), ("\x9b31m", r"\u{9b}31m")),
        *(("\u202eabc", r"\u{202e}abc"), ("\u2066a\u2069", r"\u{2066}a\u{2069}"), ("a\u200bb", r"a\u{200b}b")),
        *(
            ("\u2028", r"\u{2028}"),
            ("\xa0", r"\u{a0}"),
            ("\u3164", r"\u{3164}"),
            ("\ufe0f", r"\u{fe0f}"),
            ("\x7f", r"\u{7f}"),
        ),
    ],
)
def test_a_name_is_shown_without_its_effect(name: str, shown: str) -> None:
    assert visible(name) == shown
    assert columns([(name, "x")]) == f"{shown}  x"


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


def test_accents_do_not_pile_up_over_other_lines() -> None:
    assert visible("e\u0301\u0323") == "e\u0301\u0323"
    assert visible("Z" + "\u0300" * 4) == "Z\u0300\u0300" + r"\u{300}" * 2
    assert visible("\u0300a") == r"\u{300}a"


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), min_size=1))
def test_no_cell_makes_a_row(rows: list[tuple[str, str]]) -> None:
    text = columns(rows)
    assert text.count("\n") == len(rows) - 1
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(("number", "said"), [(0, "0 ids"), (1, "1 id"), (2, "2 ids"), (12_345, "12,345 ids")])
def test_a_number_of_things_is_said_as_people_say_it(number: int, said: str) -> None:
    assert counted(number, "id") == said
