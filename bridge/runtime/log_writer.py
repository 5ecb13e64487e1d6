"""Writes log lines in a thread of its own, so that a slow reader of standard error delays nobody.

At most `MOST_WAITING_LINES` lines wait. Further ones are dropped and counted; a line says how many, when there is room
again. It never decides what is logged. After a fork the child has its own thread and lines.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from queue import SimpleQueue
from typing import Final, TextIO

MOST_WAITING_LINES: Final = 1_000
FLUSH_SECONDS: Final = 1.0
"""The longest that `flush` waits."""
RETRY_SECONDS: Final = 0.05
"""Pause before another attempt when standard error takes nothing."""


class LogWriter(logging.Handler):
    """A logging handler: formats a line in the caller's thread, and writes it to standard error in its own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stderr
        self.dropped = 0
        self._said_dropped = 0
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line. Never waits, and never raises."""
        if self._lines.qsize() >= MOST_WAITING_LINES:
            self.dropped += 1
            return
        try:
            self._lines.put(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a line that cannot be formatted is dropped
            self.dropped += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, args=(self._lines,), name="log", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Wait until all lines are written, but at most `FLUSH_SECONDS`, if nobody reads them."""
        if self._thread is not None:
            written = threading.Event()
            self._lines.put(written)
            written.wait(FLUSH_SECONDS)

    def _write_all(self, lines: "SimpleQueue[str | threading.Event]") -> None:
        while True:
            line = lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            _write(self._stream, line)
            if self.dropped > self._said_dropped and lines.qsize() < MOST_WAITING_LINES // 2:
                self._say_dropped()

    def _say_dropped(self) -> None:
        number, self._said_dropped = self.dropped - self._said_dropped, self.dropped
        said = logging.LogRecord(__name__, logging.WARNING, "", 0, "log_lines_dropped: %d", (number,), None)
        _write(self._stream, self.format(said) + "\n")


def _write(stream: TextIO, line: str) -> None:
    """Write without the stream's own buffer: Python crashes at exit if a thread then holds the buffer's lock."""
    with contextlib.suppress(OSError, ValueError):
        try:
            number = stream.fileno()
        except OSError:
            stream.write(line)  # not a file, but for example an object of a test
            return
        rest = line.encode(errors="backslashreplace")
        while rest:
            rest = rest[_written(number, rest) :]


def _written(number: int, data: bytes) -> int:
    try:
        return os.write(number, data)
    except BlockingIOError:
        time.sleep(RETRY_SECONDS)
        return 0
