"""What strangers chose, as a person sees it."""

import pytest

from bridge.cli.table import columns
from bridge.system.visible import visible, visible_lines


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


def test_lines_stay_lines_and_have_no_effect_but_that() -> None:
    assert visible_lines("a\x1b[2J\nb\r") == "a\\u{1b}[2J\nb\\u{d}"


def test_accents_do_not_pile_up_over_other_lines() -> None:
    assert visible("e\u0301\u0323") == "e\u0301\u0323"
    assert visible("Z" + "\u0300" * 4) == "Z\u0300\u0300" + r"\u{300}" * 2
    assert visible("\u0300a") == r"\u{300}a"
