"""Several processes on one port: starts them, starts another where one dies, and ends with all of them.

The parent serves nothing and holds no event loop. Each worker has a listening socket of its own on the same port, so
that the kernel spreads connections over them.
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
MOST_SHORT_LIVES: Final = 3
PR_SET_PDEATHSIG: Final = 1
ENDS: Final = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


class Workers:
    """`count` processes that each run `work`, with a number of their own from 0; it returns an exit status."""

    def __init__(self, count: int, work: Callable[[int], int]) -> None:
        self._count = count
        self._work = work
        self._started: dict[int, tuple[int, float]] = {}
        self._short_lives = 0
        self._is_stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until workers die as soon as they start; the exit status."""
        for number in ENDS:
            signal.signal(number, self._stop)
        for worker in range(self._count):
            self._start(worker)
        while self._started:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return 1 if self._short_lives >= MOST_SHORT_LIVES else 0

    def _start(self, number: int) -> None:
        """No signal comes between: the parent would not know of the child, or the child take it for its parent's."""
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
        """In the new process: end when the parent does, however that ends."""
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
