"""Who observes an event is told of it at once, in the order of asking."""

from __future__ import annotations

import pytest

from bridge.system.observers import Observers


def test_all_are_told_in_the_order_in_which_they_were_added() -> None:
    told: list[tuple[str, str, int]] = []
    changed = Observers[[str, int]]()
    for name in ("first", "second"):
        changed.add(lambda what, number, name=name: told.append((name, what, number)))  # type: ignore[misc]
    changed("share", 7)
    assert told == [("first", "share", 7), ("second", "share", 7)]


def test_where_nobody_observes_nothing_happens() -> None:
    Observers[[]]()()


def test_what_an_observer_raises_goes_to_whoever_has_told_it() -> None:
    def fail() -> None:
        raise LookupError

    lost = Observers[[]]()
    lost.add(fail)
    with pytest.raises(LookupError):
        lost()
