"""Several worker processes on one port: starts them, starts another when one dies, and ends after all of them.

The parent serves nothing and has no event loop. Each worker has its own listening socket on the same port, so that the
kernel spreads connections over them.
"""

import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

import structlog

from bridge.runtime import logs
from bridge.runtime.hangup import HANGUP

SHORTEST_LIFE_SECONDS: Final = 2.0
"""A worker that dies earlier counts as short-lived."""
MOST_SHORT_LIVES: Final = 3
"""After so many short-lived workers in a row no more are started."""
PR_SET_PDEATHSIG: Final = 1
ENDS: Final = (signal.SIGTERM, signal.SIGINT)
BLOCKED: Final = (*ENDS, signal.SIGHUP)
RELOAD_PAUSE_SECONDS: Final = 1.0
MOST_SIGNALS: Final = 4_096
"""Signals that are read at once. Each is one byte."""

log = structlog.get_logger(__name__)


class Workers:
    """Runs `count` processes. Each calls `work` with its number, from 0, and exits with the status it returns."""

    def __init__(self, count: int, work: Callable[[int], int], reload: Callable[[], bool] = lambda: True) -> None:
        """`reload` is called after SIGHUP, and returns whether the workers are to get the signal too.

        Later workers begin with what it has read.
        """
        self._count = count
        self._work = work
        self._reload = reload
        self._is_reload_due = False
        self._reload_from = -inf
        self._started: dict[int, tuple[int, float]] = {}
        self._short_lives = 0
        self._is_stopping = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until workers die as soon as they start. Returns the exit status."""
        for number in ENDS:
            signal.signal(number, self._stop)
        with signals_to_wait_for() as signals:
            for worker in range(self._count):
                self._start(worker)
            HANGUP.listen(self._hung_up)
            while self._started:
                if select.select([signals], [], [], self._seconds_to_reload())[0]:
                    signals.recv(MOST_SIGNALS)
                self._reap()
                if self._seconds_to_reload() == 0:
                    self._pass_on()
        return 1 if self._short_lives >= MOST_SHORT_LIVES else 0

    def _hung_up(self) -> None:
        """SIGHUP has come: pass it on, but not twice in `RELOAD_PAUSE_SECONDS`."""
        self._is_reload_due = True

    def _seconds_to_reload(self) -> float | None:
        return max(0.0, self._reload_from - time.monotonic()) if self._is_reload_due else None

    def _pass_on(self) -> None:
        self._is_reload_due = False
        self._reload_from = time.monotonic() + RELOAD_PAUSE_SECONDS
        if not self._is_stopping and self._reload():
            for pid in self._started:
                os.kill(pid, signal.SIGHUP)

    def _start(self, number: int) -> None:
        """Fork a worker. Signals are blocked until it is ready, or it might run its parent's signal handler."""
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
        try:
            pid = os.fork()
            if pid == 0:
                status = self._child(number, parent)
                logs.flush()
                os._exit(status)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        self._started[pid] = number, time.monotonic()
        if (
            self._is_stopping
        ):  # perhaps another thread took the signal, and the handler ran before this worker was known
            os.kill(pid, signal.SIGTERM)

    def _child(self, number: int, parent: int) -> int:
        """In the new process: run `work`, and return the exit status.

        On Linux this process gets SIGTERM when the parent dies, for whatever reason.
        """
        signal.set_wakeup_fd(-1)
        for number_of_signal in (*ENDS, signal.SIGCHLD):
            signal.signal(number_of_signal, signal.SIG_DFL)
        HANGUP.forget()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return 0
        try:
            return self._work(number)
        except Exception:
            log.exception("worker_failed")
            return 1

    def _reap(self) -> None:
        """Take note of the workers that have ended. Other children of this process are somebody else's."""
        for worker in tuple(self._started):
            pid, status = os.waitpid(worker, os.WNOHANG)
            if pid:
                self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, status: int) -> None:
        number, started_at = self._started.pop(pid)
        life = time.monotonic() - started_at
        if self._is_stopping:
            return
        log.error("worker_died", worker=pid, status=status, seconds=round(life, 1))
        self._short_lives = self._short_lives + 1 if life < SHORTEST_LIFE_SECONDS else 0
        if self._short_lives >= MOST_SHORT_LIVES:
            self._stop(signal.SIGTERM, None)
        else:
            self._start(number)

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True
        for pid in self._started:
            os.kill(pid, signal.SIGTERM)


@contextmanager
def signals_to_wait_for() -> Iterator[socket.socket]:
    """A socket that can be read after each signal that has a handler, and after the end of each child process.

    A system call that waits for a child would sleep on if the signal came just before it, or if another thread took it.
    """
    reads, writes = socket.socketpair()
    with reads, writes:
        writes.setblocking(False)
        signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        try:
            yield reads
        finally:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
