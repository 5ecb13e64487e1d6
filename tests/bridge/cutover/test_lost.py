"""Which of the clients that a step has moved are lost: at each bound, and on either side of it."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.cutover.lost import APART_MILLISECONDS, LEAST_KNOCKS, STILL_MILLISECONDS, Losses, Moved
from bridge.records.rows import Facts, RefusedName
from bridge.records.whereabouts import Client, Refused
from tests.bridge.admin.desk import v2

STEP, GRACE = 1_000_000, 120_000
MOVED_AT = STEP + 1_000
NOW = MOVED_AT + GRACE
FACTS = Facts("moved_to_v3", "", "192.0.2.0/24", "lobby", "v2")


def client(client_id: str = "42", **more: Any) -> Client:
    """A client that is lost, unless `more` says otherwise."""
    facts = {"last": NOW, "moved_at": MOVED_AT, "knocks": LEAST_KNOCKS} | more
    times = {name: facts.pop(name) for name in ("last", "moved_at", "knocks")}
    refused = Refused(RefusedName("v2", client_id), times["last"], 9, times["moved_at"], times["knocks"], FACTS)
    return Client(**{"visitor": v2(client_id), "first": 1, "refused": refused, **facts, "last": 1})


def losses(*clients: Client, now: int = NOW) -> Losses:
    return Moved(STEP, now, GRACE).losses(clients)


def test_whoever_was_moved_and_knocks_again_and_again_is_lost() -> None:
    assert losses(client()) == (1, 1)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"knocks": LEAST_KNOCKS - 1}, (1, 0), id="knocked too seldom"),
        pytest.param({"last": NOW - STILL_MILLISECONDS}, (1, 1), id="knocked long ago, but not too long"),
        pytest.param({"last": NOW - STILL_MILLISECONDS - 1}, (1, 0), id="gone quiet"),
        pytest.param({"last_on_v3": NOW, "first_on_v3": NOW}, (1, 0), id="arrived"),
        pytest.param({"moved_at": MOVED_AT + 1}, (1, 0), id="within the grace"),
        pytest.param({"moved_at": STEP - APART_MILLISECONDS}, (1, 1), id="moved with the step, by another clock"),
        pytest.param({"moved_at": STEP - APART_MILLISECONDS - 1}, (0, 0), id="moved before the step"),
        pytest.param({"first": STEP - 1}, (1, 1), id="known just before the step"),
        pytest.param({"moved_at": 0}, (0, 0), id="not moved"),
        pytest.param({"first": STEP}, (0, 0), id="not known before the step"),
        pytest.param({"visitor": None}, (0, 0), id="never let in"),
    ],
)
def test_one_reason_is_enough_not_to_be_lost(more: dict[str, Any], expected: tuple[int, int]) -> None:
    assert losses(client(**more)) == expected


def test_each_client_counts_once_however_often_it_knocks_and_strangers_do_not_count() -> None:
    strangers = [client(f"made-up-{number}", visitor=None, knocks=100) for number in range(25)]
    quiet = [client(f"quiet-{number}", knocks=0, last=MOVED_AT) for number in range(9)]
    assert losses(client(knocks=1_000), *quiet, *strangers) == (10, 1)


def test_a_client_that_was_never_refused_was_not_moved() -> None:
    assert losses(Client(visitor=v2("42"), first=1, last=2)) == (0, 0)
