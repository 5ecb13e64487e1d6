"""What a stopwatch counts."""

import asyncio
import signal
import subprocess
import sys
import time

import pytest

from tests.servers import PROJECT
from tests.stopwatch import Stopwatch, within

STALL_SECONDS = 0.6
SAYS_WHAT_IT_COUNTED = """
from tests.stopwatch import Stopwatch
stopwatch = Stopwatch()
print("running", flush=True)
input()
print(stopwatch.least_seconds, stopwatch.all_seconds)
"""


def test_a_stall_counts_by_the_clock_alone() -> None:
    command = [sys.executable, "-c", SAYS_WHAT_IT_COUNTED]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(STALL_SECONDS)
        child.send_signal(signal.SIGCONT)
        child.stdin.write("\n")
        child.stdin.flush()
        least_seconds, all_seconds = map(float, child.stdout.read().split())
    assert all_seconds >= STALL_SECONDS
    assert all_seconds - least_seconds > STALL_SECONDS - 0.1


WORKS_BESIDE_ANOTHER = """
import os, subprocess, sys, time
from tests.stopwatch import Stopwatch
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
    stopwatch = Stopwatch()
    done_at = time.thread_time() + 0.5
    while time.thread_time() < done_at:
        pass
    print(stopwatch.least_seconds, stopwatch.all_seconds)
    other.kill()
"""


def test_waiting_for_a_processor_counts_by_the_clock_alone() -> None:
    """Two that work have one processor."""
    said = subprocess.check_output([sys.executable, "-c", WORKS_BESIDE_ANOTHER], cwd=PROJECT, text=True)
    least_seconds, all_seconds = map(float, said.split())
    assert all_seconds > 0.8
    assert all_seconds - least_seconds > 0.2


@pytest.mark.parametrize("what", ["while time.thread_time() < 0.3 + begun: pass", "time.sleep(0.3)"])
def test_work_and_waiting_count(what: str) -> None:
    """In a process that has no other to wait for."""
    program = f"""
import time
from tests.stopwatch import Stopwatch
stopwatch, begun = Stopwatch(), time.thread_time()
{what}
print(stopwatch.least_seconds, stopwatch.all_seconds)
"""
    said = subprocess.check_output([sys.executable, "-c", program], cwd=PROJECT, text=True)
    least_seconds, all_seconds = map(float, said.split())
    assert 0.3 * 0.1 < least_seconds <= all_seconds  # a busy machine may take off the most that is ever taken off


async def test_within_a_time_of_ones_own_everything_may_go_on() -> None:
    async with within(5):
        await asyncio.sleep(0)


async def test_what_is_not_done_within_its_time_is_given_up() -> None:
    stopwatch = Stopwatch()
    with pytest.raises(TimeoutError):
        async with within(0.2):
            await asyncio.Event().wait()
    assert stopwatch.all_seconds > 0.1
    assert stopwatch.least_seconds < 1


async def test_a_stall_is_added_to_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the machine had stood still for half a second, just now."""
    monkeypatch.setattr(Stopwatch, "least_seconds", property(lambda stopwatch: stopwatch.all_seconds - 0.5))
    stopwatch = Stopwatch()
    with pytest.raises(TimeoutError):
        async with within(0.2):
            await asyncio.Event().wait()
    assert stopwatch.all_seconds > 0.6
