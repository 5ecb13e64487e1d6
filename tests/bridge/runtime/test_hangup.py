"""SIGHUP is heard by whoever listens, and by whoever listens later."""

import os
import signal
from collections.abc import Iterator

import pytest

from bridge.runtime.hangup import Hangup


@pytest.fixture
def hangup() -> Iterator[Hangup]:
    before = signal.getsignal(signal.SIGHUP)
    one = Hangup()
    one.install()
    yield one
    signal.signal(signal.SIGHUP, before)


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def test_who_listens_is_told_each_time(hangup: Hangup) -> None:
    told = list[int]()
    hangup.listen(lambda: told.append(1))
    hang_up()
    hang_up()
    assert told == [1, 1]


def test_what_came_before_anybody_listened_is_told_once(hangup: Hangup) -> None:
    told = list[int]()
    hang_up()
    hang_up()
    hangup.listen(None)
    hangup.listen(lambda: told.append(1))
    hangup.listen(lambda: told.append(1))
    assert told == [1]


def test_a_child_forgets_its_parents(hangup: Hangup) -> None:
    told = list[int]()
    hang_up()
    hangup.forget()
    hangup.listen(lambda: told.append(1))
    assert told == []


def test_at_the_end_it_is_ignored(hangup: Hangup) -> None:
    hangup.ignore()
    hang_up()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
