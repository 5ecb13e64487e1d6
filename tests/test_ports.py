"""Ports for servers, also where several processes ask at once."""

import subprocess
import sys

from tests import ports
from tests.servers import PROJECT

SAYS_ITS_PORTS = "from tests.ports import free_port\nprint(*(free_port() for _ in range(100)), flush=True)\ninput()"


def test_no_port_is_given_twice() -> None:
    given = [ports.free_port() for _ in range(100)]
    assert len(set(given)) == 100


def test_processes_that_run_at_once_are_given_different_ports() -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SAYS_ITS_PORTS],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    given = [set(process.stdout.readline().split()) for process in started if process.stdout is not None]
    for process in started:
        process.communicate("\n")
    assert len(set().union(*given)) == 300
