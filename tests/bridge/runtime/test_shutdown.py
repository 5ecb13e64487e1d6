"""An end that does not come by itself: cancelled again and again, and at last by force, with its reason in the log."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress

import pytest

from bridge.runtime.shutdown import end_all, going_on, seconds_for_parts
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.stopwatch import Stopwatch

STUBBORN = """
import asyncio, sys, time
from bridge.runtime.shutdown import LastResort

async def stuck():
    if sys.argv[1] == "loop":
        time.sleep(60)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def main():
    resort.loop = asyncio.get_running_loop()
    task = asyncio.create_task(stuck(), name="Stubborn")
    resort.begin()
    resort.begin()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if sys.argv[1] == "thread":
        await asyncio.to_thread(time.sleep, 60)

resort = LastResort(0.3)
if sys.argv[1] == "over":
    resort.over()
    time.sleep(0.6)
    sys.exit(7)
asyncio.run(main())
"""


def stubborn(how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STUBBORN, how], capture_output=True, text=True, check=False, timeout=50
    )


async def swallowing(times: int) -> None:
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    tasks = [asyncio.create_task(swallowing(times)) for times in (1, 3)]
    await asyncio.sleep(0)
    await end_all(tasks, ANSWER_SECONDS)
    assert all(task.done() for task in tasks)


async def test_a_task_that_never_ends_is_waited_for_so_long_and_then_named() -> None:
    task = asyncio.create_task(swallowing(1_000), name="Stubborn")
    await asyncio.sleep(0)
    stopwatch = Stopwatch()
    await end_all([task], 0.3)
    assert stopwatch.least_seconds < 2.0
    assert not task.done()
    assert "Stubborn: swallowing" in going_on(asyncio.get_running_loop())["tasks"]
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)


def test_what_holds_the_process_is_named_and_the_process_ends_with_0() -> None:
    for how, said in (("task", "Stubborn: stuck"), ("loop", "Stubborn: stuck"), ("thread", "asyncio_0")):
        ended = stubborn(how)
        assert ended.returncode == 0, ended
        assert "ended_by_force" in ended.stdout + ended.stderr
        assert said in ended.stdout + ended.stderr


def test_where_all_ended_as_it_should_nothing_is_done() -> None:
    ended = stubborn("over")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "")


@pytest.mark.parametrize("drain_seconds", [0.0, 0.5, 1.0, 5.0, 60.0])
def test_of_the_time_to_stop_some_is_kept_for_the_end_of_the_server(drain_seconds: float) -> None:
    kept = drain_seconds - seconds_for_parts(drain_seconds)
    assert kept == pytest.approx(min(0.75, 0.15 * drain_seconds))
