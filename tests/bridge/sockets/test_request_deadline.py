"""When a request is late: its head after some seconds, its body when it falls behind its pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from bridge.sockets.request_deadline import REQUEST_SECONDS, SLOWEST_BYTES_PER_SECOND, RequestDeadline


class Loop:
    """A loop whose clock the test sets forward; it holds one timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: tuple[float, Callable[[], None]] | None = None

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[..., None], *arguments: Any) -> Loop:
        assert self.due is None
        self.due = self.now + seconds, partial(call, *arguments)
        return self

    def cancel(self) -> None:
        self.due = None

    def go_on(self) -> None:
        """Until the timer is due."""
        assert self.due is not None
        (self.now, call), self.due = self.due, None
        call()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def late() -> list[str]:
    return []


@pytest.fixture
def deadline(loop: Loop) -> RequestDeadline:
    return RequestDeadline(cast(asyncio.AbstractEventLoop, cast(Any, loop)))


def test_a_head_has_so_many_seconds(loop: Loop, late: list[str], deadline: RequestDeadline) -> None:
    deadline.expect(lambda: late.append("late"))
    loop.now = 3.0
    deadline.expect(lambda: late.append("late"))
    loop.go_on()
    assert (loop.now, late, loop.due) == (REQUEST_SECONDS, ["late"], None)


def test_a_body_has_longer_the_more_of_it_has_come(loop: Loop, late: list[str], deadline: RequestDeadline) -> None:
    deadline.expect(lambda: late.append("late"))
    deadline.is_in_head = False
    deadline.body_bytes = 2 * SLOWEST_BYTES_PER_SECOND
    loop.go_on()
    assert late == []
    loop.go_on()
    assert (loop.now, late) == (REQUEST_SECONDS + 2, ["late"])


def test_a_request_that_has_come_is_not_late(loop: Loop, late: list[str], deadline: RequestDeadline) -> None:
    deadline.expect(lambda: late.append("late"))
    deadline.end()
    deadline.end()
    assert loop.due is None


def test_the_next_request_begins_with_a_head(deadline: RequestDeadline) -> None:
    deadline.is_in_head, deadline.body_bytes = False, 7
    deadline.begin()
    assert (deadline.is_in_head, deadline.body_bytes) == (True, 0)


def test_who_lingers_is_no_longer_late_but_over(loop: Loop, late: list[str], deadline: RequestDeadline) -> None:
    deadline.expect(lambda: late.append("late"))
    deadline.linger(0.5, lambda: late.append("over"))
    loop.go_on()
    assert (loop.now, late) == (0.5, ["over"])


def test_a_request_that_has_come_is_never_late_and_the_next_one_has_not_come(
    loop: Loop, late: list[str], deadline: RequestDeadline
) -> None:
    deadline.expect(lambda: late.append("late"))
    deadline.complete()
    assert (deadline.is_whole, loop.due, late) == (True, None, [])
    deadline.begin()
    assert not deadline.is_whole
