"""What one speaker said to one audience, as it is written down."""

from __future__ import annotations

from bridge.records.rows import Noted, Speech, Visitor
from bridge.records.speech import Spoken, milliseconds
from v3.ports import Guest

ANN = Guest("acme", "team", "ann", "tenant")


def spoken() -> Spoken:
    one = Spoken("v3", ANN, 10.0009)
    one.last, one.times = 12.5, 3
    return one


def test_it_is_a_speech_of_its_speaker_to_its_audience() -> None:
    audience = id(ANN), "cmd", "direct", "ben"
    key = Speech("v3", "ann", "team", "cmd", "direct", "ben", "tenant").key()
    assert spoken().noted(audience, "ann") == Noted(key, 10_000, 12_500, 3)


def test_a_speaker_that_gave_no_id_has_none_where_it_is_written() -> None:
    row = Speech.of(spoken().noted((id(ANN), "msg", "group", None), None).key)
    assert row == Speech("v3", None, "team", "msg", "group", None, "tenant")


def test_it_counts_for_another_row_too() -> None:
    key = Visitor("v3", "v3", "ann", "team").key()
    assert spoken().noted_as(key) == Noted(key, 10_000, 12_500, 3)


def test_a_moment_is_never_noted_later_than_it_was() -> None:
    assert [milliseconds(seconds) for seconds in (0.0, 1.9999, 2.0)] == [0, 1_999, 2_000]
