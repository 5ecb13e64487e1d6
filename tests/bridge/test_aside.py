"""Work beside the loop: it gives way, and comes one after the other."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bridge.aside import aside


def count(number: int) -> int:
    found = 0
    for each in range(number):
        found += each % 2
    return found


async def test_the_loop_goes_on_meanwhile() -> None:
    working, turns = asyncio.create_task(aside(count, 2_000_000)), 0
    while not working.done():
        await asyncio.sleep(0)
        turns += 1
    assert await working == 1_000_000
    assert turns > 20


async def test_one_piece_comes_after_the_other() -> None:
    running, most = [0], [0]

    def work() -> str:
        running[0] += 1
        most[0] = max(most[0], running[0])
        count(10_000)
        running[0] -= 1
        return threading.current_thread().name

    names = await asyncio.gather(*(aside(work) for _ in range(10)))
    assert most == [1]
    assert len(set(names)) == 1


async def test_what_fails_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        await aside(divmod, 1, 0)
