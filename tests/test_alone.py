"""Any number of tests at once, or one that wants to be alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alone import Room

PATIENCE_SECONDS = 30.0
A_WHILE_SECONDS = 0.1


class Guest(threading.Thread):
    """Somebody who enters, and stays until told to go."""

    def __init__(self, folder: Path, *, alone: bool) -> None:
        super().__init__()
        self.is_in, self.may_go = threading.Event(), threading.Event()
        self._folder = folder
        self._alone = alone

    def run(self) -> None:
        room = Room(self._folder)
        with room.entered(alone=self._alone):
            self.is_in.set()
            self.may_go.wait(PATIENCE_SECONDS)
        room.close()


class Guests:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.all: list[Guest] = []

    def come(self, *, alone: bool = False) -> Guest:
        guest = Guest(self._folder, alone=alone)
        self.all.append(guest)
        guest.start()
        return guest


@pytest.fixture
def guests(tmp_path: Path) -> Iterator[Guests]:
    guests = Guests(tmp_path)
    yield guests
    for guest in guests.all:
        guest.may_go.set()
        guest.join()


def test_any_number_are_in_at_once(guests: Guests) -> None:
    for _ in range(3):
        assert guests.come().is_in.wait(PATIENCE_SECONDS)


def test_who_wants_to_be_alone_waits_for_the_others_and_they_for_it(guests: Guests) -> None:
    first = guests.come()
    assert first.is_in.wait(PATIENCE_SECONDS)
    lonely = guests.come(alone=True)
    assert not lonely.is_in.wait(A_WHILE_SECONDS)
    later = guests.come()
    assert not later.is_in.wait(A_WHILE_SECONDS)  # nobody overtakes
    first.may_go.set()
    assert lonely.is_in.wait(PATIENCE_SECONDS)
    assert not later.is_in.wait(A_WHILE_SECONDS)
    lonely.may_go.set()
    assert later.is_in.wait(PATIENCE_SECONDS)
