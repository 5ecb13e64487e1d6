"""Reads a file or standard input line by line, as bytes.

Only a line feed ends a line, because text may contain any other line break. Bounded: a line longer than
`LONGEST_LINE_BYTES` ends the command with a sentence.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from bridge.cli.options import STANDARD_INPUT, fail

LONGEST_LINE_BYTES: Final = 64 * 1024 * 1024


@contextlib.contextmanager
def opened(file: Path) -> Iterator[IO[bytes]]:
    """The open file, or standard input for `-`. Ends the command if the file cannot be opened."""
    if file == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    with stream:
        yield stream


def read_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Each line with its number (from 1), without its line feed and without a carriage return before that."""
    with opened(file) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE_BYTES + 1):
            number += 1
            if len(line) > LONGEST_LINE_BYTES:
                fail(f"line {number} is longer than {LONGEST_LINE_BYTES} bytes: write one message a line")
            yield number, line.removesuffix(b"\n").removesuffix(b"\r")
