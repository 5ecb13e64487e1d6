"""A forked bridge is a process like any that a command line starts."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartBridge
from tests.forking import PROJECT, Forked
from tests.servers import BridgeProcess


@pytest.fixture
def running(bridge: StartBridge) -> Iterator[BridgeProcess]:
    started = bridge()
    yield started
    started.is_judged = True


def test_it_has_a_session_a_directory_and_an_environment_of_its_own(running: BridgeProcess) -> None:
    place = Path(f"/proc/{running.pid}")
    assert os.getsid(running.pid) == running.pid
    assert (place / "cwd").resolve() == running.directory
    assert (place / "fd" / "0").resolve() == Path(os.devnull)
    assert {(place / "fd" / number).resolve() for number in "12"} == {running.log_file}
    assert running.is_running


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_its_exit_status_is_known(running: BridgeProcess, number: int, status: int) -> None:
    running.process.send_signal(number)
    assert running.process.wait(10) == status
    assert running.process.poll() == status
    running.process.send_signal(number)  # nobody is there any more


def test_it_is_waited_for_no_longer_than_asked(running: BridgeProcess) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.01)


def test_what_it_is_told_is_its_command_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        told = Forked(["convert", "--nonsense"], tmp_path, os.environ, file)
    assert told.wait(10) == 2
    assert "--nonsense" in log.read_text()


ASKING = """
import os, pathlib, sys, time
from tests.forking import Forked
with open(os.devnull, "wb") as log:
    asked = Forked(["serve", "--port=0"], pathlib.Path.cwd(), os.environ, log)
print(asked.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_when_whoever_asked_for_it_is_killed() -> None:
    asking = subprocess.Popen([sys.executable, "-c", ASKING], cwd=PROJECT, stdout=subprocess.PIPE)
    assert asking.stdout is not None
    ended = os.pidfd_open(int(asking.stdout.readline()))
    asking.kill()
    asking.wait()
    asking.stdout.close()
    assert select.select([ended], [], [], 30)[0] == [ended]
    os.close(ended)
