"""The result of a prediction: pairs that lose all or some, and who is on V3 after a step."""

from __future__ import annotations

import pytest

from bridge.cutover.prediction import Pair, Prediction, Recipient, language_after
from tests.bridge.admin.desk import v2

SPEAKER = ("v2", "42", "lobby")


def prediction() -> Prediction:
    made = Prediction()
    for number, (lost, goes) in enumerate([(5, False), (2, False), (0, False), (5, True)]):
        listener = v2(f"k{number}")
        made.pairs[SPEAKER, listener] = Pair(5, lost)
        made.listeners[listener] = Recipient(listener, "kiosk/1", 0, 1, goes)
    made.missed = {(SPEAKER, v2("k1")), (SPEAKER, v2("k3"))}
    return made


def test_pairs_are_silenced_or_quieter_and_those_who_lose_most_come_first() -> None:
    made = prediction()
    assert [listener.client_id for _, listener, _ in made.silenced.first] == ["k0", "k3"]
    assert [listener.client_id for _, listener, _ in made.quieter.first] == ["k1"]


def test_who_does_not_arrive_is_not_among_those_who_miss_something() -> None:
    made = prediction()
    assert {who.client_id for who in made.unheard("none")} == {"k0", "k1"}
    assert {who.client_id for who in made.unheard("all")} == {"k1", "k3"}


@pytest.mark.parametrize(("goes", "language"), [(True, "v3"), (False, "v2")])
def test_who_must_move_speaks_v3_afterwards(goes: bool, language: str) -> None:  # noqa: FBT001 - a row of the table
    assert Recipient(v2("42"), "", 0, 1, goes).language_after == language
    assert language_after("v3", goes=True) is None
