"""Several processes on one port, spoken to as one."""

import os
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, eventually, v3_path
from tests.servers import PROJECT, BridgeProcess


def children(pid: int) -> list[int]:
    """The process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def two(bridge: StartBridge) -> BridgeProcess:
    """A command with two workers."""
    return bridge("--workers", "2")


async def test_clients_of_different_workers_reach_each_other(two: BridgeProcess) -> None:
    assert len(children(two.pid)) == 2
    async with client(two, v3_path("g", "ann")) as ann, client(two, "/ws/group/g/client/42") as old:
        await ann.say({"msg_type": "msg", "target": "group", "msg": "hi"})
        assert (await old.hear())["msg"] == "hi"


async def test_a_scrape_is_answered_for_all_workers(two: BridgeProcess) -> None:
    async with AsyncExitStack() as ends, httpx.AsyncClient() as http:
        for number in range(8):
            await ends.enter_async_context(client(two, f"/ws/client/{number}"))

        async def is_told_of_all() -> bool:
            said = (await http.get(f"{two.url}/metrics")).text.splitlines()
            return {'bridge_connections{protocol="v2",tenant="default"} 8.0', "bridge_bus_up 1.0"} <= set(said)

        for _ in range(4):  # whichever worker answers; one that is late is left out, and one may still be starting
            await eventually(is_told_of_all)


async def test_a_worker_that_dies_is_replaced(two: BridgeProcess) -> None:
    before = set(children(two.pid))
    victim = min(before)
    os.kill(victim, signal.SIGKILL)

    async def is_replaced() -> bool:
        now = set(children(two.pid))
        return len(now) == 2 and victim not in now and two.is_ready()

    await eventually(is_replaced)
    assert "worker_died" in two.log


def test_workers_that_die_as_they_start_end_the_command() -> None:
    program = "from bridge.runtime.workers import Workers; raise SystemExit(Workers(2, lambda number: 7).run())"
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False, cwd=PROJECT, capture_output=True)
    assert ended.returncode == 1


STOPPED_AT_A_FORK = """
import os, signal, time
from bridge.runtime.workers import Workers
fork = os.fork

def fork_and_stop():
    pid = fork()
    if (pid == 0) == IN_THE_CHILD:
        os.kill(os.getpid(), signal.SIGTERM)
    return pid

os.fork = fork_and_stop
raise SystemExit(Workers(1, lambda number: time.sleep(60)).run())
"""


@pytest.mark.parametrize(("where", "status"), [("False", 0), ("True", 1)])
def test_a_signal_is_not_lost_while_a_worker_starts(where: str, status: int) -> None:
    """Whoever has it ends: the parent with its worker, or the worker, time and again."""
    program = STOPPED_AT_A_FORK.replace("IN_THE_CHILD", where)
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False, cwd=PROJECT, capture_output=True)
    assert ended.returncode == status


TAKEN_BY_ANOTHER_THREAD = """
import os, signal, threading, time
from bridge.runtime.workers import Workers
fork = os.fork

def fork_and_stop():
    pid = fork()
    if pid:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)  # this thread has blocked the signal: the other takes it, and the handler runs here
    return pid

os.fork = fork_and_stop
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
raise SystemExit(Workers(2, lambda number: time.sleep(60)).run())
"""


def test_a_signal_that_another_thread_takes_while_a_worker_starts_ends_that_worker_too() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TAKEN_BY_ANOTHER_THREAD], timeout=30, check=False, cwd=PROJECT, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


TOLD_AS_A_WORKER_ENDS = """
import os, signal
from bridge.runtime.workers import Workers
waitpid = os.waitpid

def wait_and_stop(pid, options):
    ended = waitpid(pid, options)
    if ended[0]:
        os.kill(os.getpid(), signal.SIGTERM)
    return ended

os.waitpid = wait_and_stop
raise SystemExit(Workers(1, lambda number: 0).run())
"""


def test_a_signal_that_comes_as_a_worker_has_just_ended_is_no_failure() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TOLD_AS_A_WORKER_ENDS], timeout=30, check=False, cwd=PROJECT, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


OTHER_CHILD = """
import subprocess, time
from bridge.runtime.workers import Workers

subprocess.Popen(["true"])
raise SystemExit(Workers(1, lambda number: time.sleep(0.5) or 7).run())
"""


def test_a_child_that_is_no_worker_may_end_meanwhile() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", OTHER_CHILD], timeout=30, check=False, cwd=PROJECT, capture_output=True
    )
    assert ended.returncode == 1
    assert b"Traceback" not in ended.stderr


HURRIED = """
import os, signal, sys, time
from bridge.runtime import workers
workers.SILENT_SECONDS, workers.STARTING_SECONDS, workers.LOOK_SECONDS, workers.LATE_SECONDS = 1.0, 2.0, 0.1, 0.5

def beat(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        os.write(all_workers.heart, b".")
        time.sleep(0.05)
"""

SILENT_ONCE = (
    HURRIED
    + """
def work(number):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.path.exists(sys.argv[1]):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getppid(), signal.SIGTERM)
        beat(60)
    open(sys.argv[1], "w").close()
    beat(BEATS_FOR)
    signal.pause()

all_workers = workers.Workers(1, work)
raise SystemExit(all_workers.run())
"""
)


@pytest.mark.parametrize("seconds", ["2.5", "0"])
def test_a_worker_that_stands_still_is_killed_and_replaced(tmp_path: Path, seconds: str) -> None:
    """Also one whose heart was never heard; and one that does not end when it is told to."""
    program = SILENT_ONCE.replace("BEATS_FOR", seconds)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "mark")],
        timeout=60,
        check=False,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert (ended.stdout.count("worker_silent"), ended.stdout.count("worker_died")) == (1, 1)


BEATING = (
    HURRIED
    + """
all_workers = workers.Workers(2, lambda number: beat(60))
print("ready", flush=True)
raise SystemExit(all_workers.run())
"""
)


def test_where_the_whole_machine_stood_still_nobody_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BEATING], cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        time.sleep(1)
        for number, seconds in ((signal.SIGSTOP, 3), (signal.SIGCONT, 2)):
            os.killpg(program.pid, number)
            time.sleep(seconds)
        program.terminate()
        said, _ = program.communicate(timeout=30)
    assert (program.returncode, said) == (0, "")


async def test_a_stopped_worker_is_replaced_within_half_a_minute(two: BridgeProcess) -> None:
    before = set(children(two.pid))
    victim = max(before)
    os.kill(victim, signal.SIGSTOP)

    async def is_replaced() -> bool:
        now = set(children(two.pid))
        return len(now) == 2 and victim not in now

    await eventually(is_replaced, 30)
    assert "worker_silent" in two.log
