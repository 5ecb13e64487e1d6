"""Tests that hold a bridge to seconds (`@pytest.mark.alone`): while one runs, no other test does, in any worker.

They come last, where the others are done or nearly so. Must never be needed for a test to be right: only for it to be
quick enough on a machine that has nothing else to do.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

import pytest

MARK: Final = "alone"


def last(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same tests, those that want to be alone behind all others."""
    return sorted(items, key=is_alone)


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARK) is not None


class Room:
    """Where all workers run their tests: any number at once, or one that wants to be alone. `folder` is theirs."""

    def __init__(self, folder: Path) -> None:
        self._door = (folder / "door").open("w")
        self._room = (folder / "room").open("w")

    def close(self) -> None:
        self._door.close()
        self._room.close()

    @contextmanager
    def entered(self, *, alone: bool) -> Iterator[None]:
        """Wait until it may run. Nobody overtakes who waits at the door, so that all get their turn."""
        with ExitStack() as stay:
            with held(self._door, fcntl.LOCK_EX):
                stay.enter_context(held(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
            yield


@contextmanager
def held(file: IO[str], how: int) -> Iterator[None]:
    """While this lasts the file is locked."""
    fcntl.flock(file, how)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
