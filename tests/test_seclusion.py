from __future__ import annotations

import errno
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.seclusion import SOCKET_CALL, secluded

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in SOCKET_CALL,
    reason="only Linux refuses single sockets, and its numbers are known for x86_64 and aarch64 alone",
)
ROUTE, EVENTS = "socket.AF_NETLINK, socket.SOCK_RAW, 0", "socket.AF_NETLINK, socket.SOCK_RAW, 15"
LOOPBACK, LOCAL = "socket.AF_INET, socket.SOCK_STREAM, 0", "socket.AF_UNIX, socket.SOCK_STREAM, 0"
OPENING = """
import socket, subprocess, sys
try:
    socket.socket({}).close()
except OSError as error:
    sys.exit(error.errno)
"""


def opened(program: str, kind: str) -> int:
    """With what number the program ends that opens such a socket: 0, or the error."""
    return subprocess.run([program, "-c", OPENING.format(kind)], check=False, timeout=60).returncode


@pytest.mark.parametrize(("kind", "number"), [(ROUTE, errno.EAFNOSUPPORT), (EVENTS, 0), (LOOPBACK, 0), (LOCAL, 0)])
def test_nothing_but_the_news_of_interfaces_is_refused(tmp_path: Path, kind: str, number: int) -> None:
    assert opened(secluded(sys.executable, tmp_path), kind) == number
    assert opened(sys.executable, kind) == 0


def test_what_a_secluded_program_starts_hears_nothing_either(tmp_path: Path) -> None:
    program = secluded(sys.executable, tmp_path)
    starting = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)"
    started = subprocess.run([program, "-c", starting, "-c", OPENING.format(ROUTE)], check=False, timeout=60)
    assert started.returncode == errno.EAFNOSUPPORT


def test_a_program_that_cannot_be_secluded_is_run_as_it_is(tmp_path: Path) -> None:
    assert secluded("/bin/false", tmp_path) == "/bin/false"
