from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.runtime.log_writer import MOST_WAITING_LINES, LogWriter
from tests.servers import PROJECT
from tests.stopwatch import Stopwatch

UNREAD = """
import logging, sys, time
from bridge.runtime.log_writer import LogWriter
writer = LogWriter()
logger = logging.getLogger("test")
logger.addHandler(writer)
for number in range({lines}):
    logger.error("%d %s", number, "x" * 1_000)
print("said", flush=True)
sys.stdin.readline()
writer.flush()
"""


class Pipe:
    """Somebody who reads standard error when the test does."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w")

    def close(self) -> None:
        os.close(self.reading)
        self.stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.ERROR, "", 0, text, None, None)


def read(pipe: Pipe, ending: bytes) -> bytes:
    said = b""
    while not said.endswith(ending):
        said += os.read(pipe.reading, 65_536)
    return said


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    writer = LogWriter(pipe.stream)
    for number in range(100):
        writer.emit(record(f"line {number} \ud83d"))
    writer.flush()
    assert read(pipe, b"line 99 \\ud83d\n") == b"".join(b"line %d \\ud83d\n" % number for number in range(100))


def test_whoever_does_not_read_keeps_nobody_waiting_and_is_told_what_was_dropped(pipe: Pipe) -> None:
    writer, number, stopwatch = LogWriter(pipe.stream), 0, Stopwatch()
    while writer.dropped < 50:
        writer.emit(record(f"{number} " + "x" * 1_000))
        number += 1
    assert number < MOST_WAITING_LINES + 1_000
    writer.flush()
    assert stopwatch.least_seconds < 10
    said = b""
    while b"log_lines_dropped: 50\n" not in said or said.count(b"x\n") < number - 50:
        said += os.read(pipe.reading, 65_536)
    assert writer.dropped == 50


def test_a_line_that_cannot_be_formatted_is_one_line_less(pipe: Pipe) -> None:
    writer = LogWriter(pipe.stream)
    writer.emit(logging.LogRecord("test", logging.ERROR, "", 0, "%d %d", ("one",), None))
    writer.emit(record("good"))
    assert b"good\n" in read(pipe, b"\n")
    assert writer.dropped == 1


def test_a_process_ends_though_nobody_reads_its_log(tmp_path: Path) -> None:
    """Not even the interpreter waits for a thread that still writes."""
    process = subprocess.Popen(
        [sys.executable, "-c", UNREAD.format(lines=3_000)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"said\n"
    assert process.stdin is not None
    process.stdin.close()
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


def test_a_process_that_was_forked_off_has_a_thread_of_its_own(pipe: Pipe) -> None:
    writer = LogWriter(pipe.stream)
    writer.emit(record("parent"))
    writer.flush()
    child = os.fork()
    if child == 0:
        writer.emit(record("child"))
        writer.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    writer.emit(record("parent again"))
    writer.flush()
    assert read(pipe, b"again\n") == b"parent\nchild\nparent again\n"
