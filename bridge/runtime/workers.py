"""Several worker processes on one port: starts them, starts another when one dies, and ends after all of them.

The parent serves nothing and has no event loop. Each worker has its own listening socket on the same port, so that the
kernel spreads connections over them.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

import structlog

from bridge.runtime import logs

SHORTEST_LIFE_SECONDS: Final = 2.0
"""A worker that dies earlier counts as short-lived."""
MOST_SHORT_LIVES: Final = 3
"""After so many short-lived workers in a row no more are started."""
PR_SET_PDEATHSIG: Final = 1
ENDS: Final = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


class Workers:
    """Runs `count` processes. Each calls `work` with its number, from 0, and exits with the status it returns."""

    def __init__(self, count: int, work: Callable[[int], int]) -> None:
        self._count = count
        self._work = work
        self._started: dict[int, tuple[int, float]] = {}
        self._short_lives = 0
        self._is_stopping = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until workers die as soon as they start. Returns the exit status."""
        for number in ENDS:
            signal.signal(number, self._stop)
        for worker in range(self._count):
            self._start(worker)
        while self._started:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return 1 if self._short_lives >= MOST_SHORT_LIVES else 0

    def _start(self, number: int) -> None:
        """Fork a worker, with signals blocked until both processes are ready.

        Otherwise the parent might not know the child yet, or the child might run the parent's signal handler.
        """
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        try:
            if not self._is_stopping:
                pid = os.fork()
                if pid == 0:
                    status = self._child(number, parent)
                    logs.flush()
                    os._exit(status)
                self._started[pid] = number, time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)

    def _child(self, number: int, parent: int) -> int:
        """In the new process: run `work`, and return the exit status.

        On Linux this process gets SIGTERM when the parent dies, for whatever reason.
        """
        for end in ENDS:
            signal.signal(end, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return 0
        try:
            return self._work(number)
        except Exception:
            log.exception("worker_failed")
            return 1

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
