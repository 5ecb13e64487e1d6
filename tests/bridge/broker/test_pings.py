"""Until when it is certain that all was heard, and when Redis is silent."""

from __future__ import annotations

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.pings import Pings


def asked_at(command: bytes) -> bytes:
    """What Redis sends back of a PING."""
    reader = hiredis.Reader()
    reader.feed(command)
    name, word = reader.gets()
    assert name == b"PING"
    assert isinstance(word, bytes)
    return word


def test_all_is_heard_up_to_the_asking_of_the_last_answered_ping() -> None:
    pings = Pings(1.0)
    pings.begin(5.0)
    first, _second = pings.ask(6.0), pings.ask(7.0)
    assert pings.answered(asked_at(first), None)
    assert pings.certain_until == 6.0


def test_what_arrives_ends_the_silence_but_makes_nothing_certain() -> None:
    pings = Pings(1.0)
    pings.ask(2.0)
    assert pings.are_silent(5.1, 3.0)
    pings.heard()
    assert not pings.are_silent(100.0, 3.0)
    assert pings.certain_until == 1.0


def test_an_error_is_an_answer_and_the_trouble_until_the_next() -> None:
    pings = Pings(0.0)
    for trouble in ("LOADING", "MASTERDOWN", None):
        pings.ask(1.0)
        assert pings.answered(None, trouble)
        assert pings.trouble == trouble


def test_an_answer_that_nobody_asked_for_is_told() -> None:
    pings = Pings(0.0)
    assert not pings.answered(None, "NOPERM")
    pings.ask(1.0)
    pings.begin(2.0)
    assert not pings.answered(b"1.0", None)


def test_time_in_which_this_process_was_late_is_forgiven() -> None:
    pings = Pings(0.0)
    pings.forgive(5.0)
    pings.ask(1.0)
    pings.forgive(-1.0)
    pings.forgive(3.0)
    assert not pings.are_silent(8.0, 4.0)
    assert pings.are_silent(8.1, 4.0)


@given(st.floats(0, 1e9))
def test_the_time_of_asking_comes_back_to_the_last_digit(now: float) -> None:
    pings = Pings(-1.0)
    pings.answered(asked_at(pings.ask(now)), None)
    assert pings.certain_until == now
