"""Processes of a benchmark: pinned to a core, started on free ports of loopback, ended by their own pid.

It ends only what it started, and leaves nothing running when a `with` block ends, however it ends.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

START_SECONDS = 60.0
STOP_SECONDS = 10.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
SERVER_CORE = 0
CLIENT_CORE = 1


class StartFailedError(Exception):
    """A server did not listen in time, or ended first. The message holds the tail of what it printed."""


@dataclass(frozen=True)
class Usage:
    """What a process and its children have used: seconds of processor time, bytes of memory now."""

    processor_seconds: float
    resident_bytes: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command on one core; as it is where there is only one, or no `taskset`."""
    if (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        return list(command)
    return ["taskset", "-c", str(core), *command]


@contextmanager
def running(
    command: Sequence[str], port: int, core: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Yields the pid of a server that listens on `port`; ends it afterwards. Raises `StartFailedError`."""
    with log.open("wb") as output:
        process = _start(pinned(command, core), output, environment or {})
        try:
            _await_listening(process, port, log)
            yield process.pid
        finally:
            _stop(process)


@contextmanager
def running_redis(core: int, log: Path) -> Iterator[tuple[int, str]]:
    """Yields pid and URL of a Redis of our own that keeps nothing on disk."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with running(command, port, core, log) as pid:
        yield pid, f"redis://127.0.0.1:{port}/0"


def usage(pid: int) -> Usage:
    """Sums the process and all that descend from it; nothing where it is gone."""
    seconds, resident = 0.0, 0
    for member in [pid, *_descendants(pid)]:
        try:
            after_name = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            pages = int(Path(f"/proc/{member}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        seconds += (int(after_name[11]) + int(after_name[12])) / TICKS_PER_SECOND
        resident += pages * PAGE_BYTES
    return Usage(seconds, resident)


def _descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = [int(word) for word in children.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in pids:
            yield child
            yield from _descendants(child)


def _start(command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **environment}
    )


def _await_listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise StartFailedError(log.read_text(errors="replace")[-1500:] or "it printed nothing")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
