from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import missing
from tests.seclusion import secluded

ROUTE, EVENTS = "socket.AF_NETLINK, socket.SOCK_RAW, 0", "socket.AF_NETLINK, socket.SOCK_RAW, 15"
LOOPBACK, LOCAL = "socket.AF_INET, socket.SOCK_STREAM, 0", "socket.AF_UNIX, socket.SOCK_STREAM, 0"
OPENING = """
import socket, sys
try:
    socket.socket({}).close()
except OSError as error:
    sys.exit(error.errno)
"""
STARTING = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)"


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A secluded one."""
    program = secluded(sys.executable, tmp_path)
    if program == sys.executable:
        missing("A kernel that refuses single sockets", "Linux with seccomp does, on x86_64 and aarch64.")
    return program


def status(program: str, *arguments: str) -> int:
    """With which number it ends: 0, or that of the error."""
    return subprocess.run([program, "-c", *arguments], check=False, timeout=60).returncode


@pytest.mark.parametrize("kind", [EVENTS, LOOPBACK, LOCAL])
def test_nothing_but_the_news_of_interfaces_is_refused(python: str, kind: str) -> None:
    assert status(python, OPENING.format(kind)) == 0
    assert status(python, OPENING.format(ROUTE)) == errno.EAFNOSUPPORT
    assert status(sys.executable, OPENING.format(ROUTE)) == 0


def test_what_a_secluded_program_starts_hears_nothing_either(python: str) -> None:
    assert status(python, STARTING, "-c", OPENING.format(ROUTE)) == errno.EAFNOSUPPORT


def test_a_program_that_cannot_be_secluded_is_run_as_it_is(tmp_path: Path) -> None:
    assert secluded("/bin/false", tmp_path) == "/bin/false"
