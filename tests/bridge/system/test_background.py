"""Work beside the loop: it gives way, and comes one after the other."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bridge.system import background as aside_module
from bridge.system.allocator import c_library
from bridge.system.background import run_in_background, run_in_turns


def count(number: int) -> int:
    found = 0
    for each in range(number):
        found += each % 2
    return found


async def test_the_loop_goes_on_meanwhile() -> None:
    working, turns = asyncio.create_task(run_in_background(count, 2_000_000)), 0
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

    names = await asyncio.gather(*(run_in_background(work) for _ in range(10)))
    assert most == [1]
    assert len(set(names)) == 1


async def test_what_fails_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_background(divmod, 1, 0)


async def test_steps_are_taken_some_at_a_time_and_others_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside_module, "TURN_SECONDS", 0.0)
    order: list[str] = []
    steps = map(order.append, ["step 0", "step 1", "step 2"])
    await asyncio.gather(run_in_turns(steps), run_in_background(order.append, "other"))
    assert order == ["step 0", "other", "step 1", "step 2"]


async def test_what_a_step_raises_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_turns(1 // number for number in (1, 0))


@pytest.mark.skipif(not c_library.is_used, reason="nothing is given back here")
async def test_what_is_made_aside_lies_on_memory_of_the_c_library() -> None:
    assert await run_in_background(lambda: c_library._depth) > 0
    assert c_library._depth == 0
