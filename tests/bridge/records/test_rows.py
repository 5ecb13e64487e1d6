"""Rows as they stand in Redis: each is told from every other, comes back as it was, and garbage is no row."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.records.rows import Conversion, ProprietaryKey, Row, Sample, Speech, Visitor

texts = st.text(max_size=12)
names = st.none() | texts
ROWS: dict[type[Row], st.SearchStrategy[Any]] = {
    Visitor: st.builds(Visitor, st.sampled_from(["v2", "v3"]), texts, names, texts, texts),
    Speech: st.builds(Speech, st.sampled_from(["v2", "v3"]), names, texts, texts, texts, names, texts),
    Conversion: st.builds(Conversion, texts, texts, texts),
    ProprietaryKey: st.builds(ProprietaryKey, texts, texts),
    Sample: st.builds(Sample, texts, st.sampled_from(["connections", "messages"]), texts),
}
EACH = pytest.mark.parametrize("kind", ROWS)


@EACH
@given(data=st.data())
def test_a_row_comes_back_as_it_was(kind: type[Row], data: st.DataObject) -> None:
    row = data.draw(ROWS[kind])
    assert kind.of(row.key()) == row
    assert "\n" not in row.key()


@EACH
@given(data=st.data())
def test_two_rows_are_the_same_text_only_if_they_are_the_same(kind: type[Row], data: st.DataObject) -> None:
    first, second = data.draw(ROWS[kind]), data.draw(ROWS[kind])
    assert (first.key() == second.key()) == (astuple(first) == astuple(second))


def test_a_client_without_an_id_is_told_from_one_that_is_called_nothing() -> None:
    assert Visitor("v2", "v2", None, "lobby").key() != Visitor("v2", "v2", "", "lobby").key()


def test_a_row_is_one_short_line_that_a_person_can_read() -> None:
    assert Visitor("v2", "v2", "é", "lobby", "kiosk/1").key() == '["v2","v2","é","lobby","kiosk/1"]'


HALVES = [json.dumps(["\ud800"] * length) for length in (2, 3, 5, 7)]
"""Of a character, of which nothing can be written down."""


@EACH
@pytest.mark.parametrize(
    "key", ["", "garbage", "7", "null", "[]", "[1", "[1,2,3,4,5,6,7,8]", '{"a":1}', "\ufffd", *HALVES]
)
def test_what_somebody_else_wrote_is_no_row(kind: type[Row], key: str) -> None:
    assert kind.of(key) is None


def test_the_two_kinds_of_row_in_the_ledger_are_never_taken_for_each_other() -> None:
    conversion, key = Conversion("v2_to_v3", "exact", "2026-01-01"), ProprietaryKey("reload", "boolean")
    assert ProprietaryKey.of(conversion.key()) is None
    assert Conversion.of(key.key()) is None
