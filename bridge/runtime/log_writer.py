"""Writes the lines of the log from a thread of its own, so that whoever does not read them keeps nobody waiting.

The lines that wait have a bound; what is over it is dropped, counted, and said once there is room again. It never
decides what is logged. A worker that was forked off has a thread, and lines, of its own.
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
RETRY_SECONDS: Final = 0.05


class LogWriter(logging.Handler):
    """Formats a line where it is logged, and writes it to standard error when it can."""

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
        """Never waits, and never raises."""
        if self._lines.qsize() >= MOST_WAITING_LINES:
            self.dropped += 1
            return
        try:
            self._lines.put(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a line that cannot be formatted is one line less
            self.dropped += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, args=(self._lines,), name="log", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Wait until what was logged is written, but not for whoever does not read."""
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
    """Past the stream's own buffer: a thread that holds its lock would bring the interpreter down as it ends."""
    with contextlib.suppress(OSError, ValueError):
        try:
            number = stream.fileno()
        except OSError:
            stream.write(line)  # it is no file: a test's, or a shell's within Python
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
