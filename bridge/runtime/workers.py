"""Several worker processes on one port: starts them, starts another when one dies, and ends after all of them.

The parent serves nothing and has no event loop. Each worker has its own listening socket on the same port, so that the
kernel spreads connections over them. So a worker that stands still keeps its part of all newcomers waiting: one whose
heart (`heartbeat.py`) is not heard for `SILENT_SECONDS` is killed, and another is started.

Decided here: where this process stood still itself, perhaps the whole machine did, so every silence is counted anew.
"""

import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Final

import structlog

from bridge.runtime import logs
from bridge.runtime.hangup import HANGUP

SHORTEST_LIFE_SECONDS: Final = 2.0
"""A worker that dies earlier counts as short-lived."""
MOST_SHORT_LIVES: Final = 3
"""After so many short-lived workers in a row no more are started."""
SILENT_SECONDS: Final = 15.0
"""A worker that is not heard for so long is killed: it is stopped, or its event loop is stuck."""
STARTING_SECONDS: Final = 60.0
"""How long a worker may take until it is heard for the first time."""
LOOK_SECONDS: Final = 1.0
LATE_SECONDS: Final = 2.0
"""A look that comes so late shows that this process stood still."""
PR_SET_PDEATHSIG: Final = 1
ENDS: Final = (signal.SIGTERM, signal.SIGINT)
BLOCKED: Final = (*ENDS, signal.SIGHUP)
RELOAD_PAUSE_SECONDS: Final = 1.0
MOST_SIGNALS: Final = 4_096
"""Signals that are read at once. Each is one byte."""

log = structlog.get_logger(__name__)


@dataclass
class Worker:
    """One process that was started, with the pipe in which its heart is heard. Times are of the monotonic clock."""

    number: int
    pipe: int
    started_at: float
    heard_at: float
    is_heard: bool = False

    def listen(self, now: float) -> None:
        """Note whether the heart has beaten."""
        with suppress(BlockingIOError):
            if os.read(self.pipe, MOST_SIGNALS):
                self.heard_at, self.is_heard = now, True

    def is_silent(self, now: float) -> bool:
        """Whether it has not been heard for too long."""
        return now - self.heard_at > (SILENT_SECONDS if self.is_heard else STARTING_SECONDS)


class Workers:
    """Runs `count` processes. Each calls `work` with its number, from 0, and exits with the status it returns.

    `heart`: in a worker, the descriptor of the pipe into which its heart is to beat; it does not block.
    """

    def __init__(self, count: int, work: Callable[[int], int], reload: Callable[[], bool] = lambda: True) -> None:
        """`reload` is called after SIGHUP, and returns whether the workers are to get the signal too.

        Later workers begin with what it has read.
        """
        self._count = count
        self._work = work
        self._reload = reload
        self._is_reload_due = False
        self._reload_from = -inf
        self._started: dict[int, Worker] = {}
        self._short_lives = 0
        self._is_stopping = False
        self._looked_at = time.monotonic()
        self.heart = -1

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until workers die as soon as they start. Returns the exit status."""
        for number in ENDS:
            signal.signal(number, self._stop)
        with signals_to_wait_for() as signals:
            for worker in range(self._count):
                self._start(worker)
            HANGUP.listen(self._hung_up)
            while self._started:
                if select.select([signals], [], [], self._seconds_to_look())[0]:
                    signals.recv(MOST_SIGNALS)
                self._reap()
                self._look(time.monotonic())
                if self._is_reload_due and self._reload_from <= time.monotonic():
                    self._pass_on()
        return 1 if self._short_lives >= MOST_SHORT_LIVES else 0

    def _hung_up(self) -> None:
        """SIGHUP has come: pass it on, but not twice in `RELOAD_PAUSE_SECONDS`."""
        self._is_reload_due = True

    def _seconds_to_look(self) -> float:
        """How long to wait for a signal: until the next look at the workers, or until a reload is due."""
        seconds = self._reload_from - time.monotonic() if self._is_reload_due else LOOK_SECONDS
        return min(max(0.0, seconds), LOOK_SECONDS)

    def _pass_on(self) -> None:
        self._is_reload_due = False
        self._reload_from = time.monotonic() + RELOAD_PAUSE_SECONDS
        if not self._is_stopping and self._reload():
            for pid in self._started:
                os.kill(pid, signal.SIGHUP)

    def _start(self, number: int) -> None:
        """Fork a worker. Signals are blocked until it is ready, or it might run its parent's signal handler."""
        parent, pipe = os.getpid(), _pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
        try:
            pid = os.fork()
            if pid == 0:
                os.close(pipe[0])
                self.heart = pipe[1]
                status = self._child(number, parent)
                logs.flush()
                os._exit(status)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        os.close(pipe[1])
        now = time.monotonic()
        self._started[pid] = Worker(number, pipe[0], now, now)
        if self._is_stopping:  # another thread took the signal, and its handler ran before this worker was known
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
        worker = self._started.pop(pid)
        os.close(worker.pipe)
        life = time.monotonic() - worker.started_at
        if self._is_stopping:
            return
        log.error("worker_died", worker=pid, status=status, seconds=round(life, 1))
        self._short_lives = self._short_lives + 1 if life < SHORTEST_LIFE_SECONDS else 0
        if self._short_lives >= MOST_SHORT_LIVES:
            self._stop(signal.SIGTERM, None)
        else:
            self._start(worker.number)

    def _look(self, now: float) -> None:
        """Kill workers that are silent. Their end is noted by `_reap`."""
        stood_still = now - self._looked_at > LOOK_SECONDS + LATE_SECONDS
        self._looked_at = now
        for pid, worker in self._started.items():
            worker.listen(now)
            if stood_still:
                worker.heard_at = now
            elif worker.is_silent(now):
                log.error("worker_silent", worker=pid, seconds=round(now - worker.heard_at, 1))
                worker.heard_at = now
                os.kill(pid, signal.SIGKILL)

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True
        for pid in self._started:
            # The signal may have come between the end of a worker and the note that is taken of it.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _pipe() -> tuple[int, int]:
    """The ends of a pipe, to read and to write, of which neither blocks."""
    reads, writes = os.pipe()
    for end in (reads, writes):
        os.set_blocking(end, False)
    return reads, writes


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
