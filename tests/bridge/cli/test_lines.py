"""A file or standard input, line by line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from bridge.cli.lines import opened, read_lines
from tests.bridge.cli.running import run, sentence


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "said.jsonl"


def test_lines_are_counted_from_one_and_empty_ones_are_lines(file: Path) -> None:
    file.write_bytes(b"a\n\nb\n")
    assert list(read_lines(file)) == [(1, b"a"), (2, b""), (3, b"b")]


def test_a_last_line_without_an_end_is_a_line(file: Path) -> None:
    file.write_bytes(b"a\nb")
    assert list(read_lines(file)) == [(1, b"a"), (2, b"b")]


def test_a_line_ends_at_a_line_feed_alone(file: Path) -> None:
    said = "a\x0bb\x0cc\x1cd\x85e\u2028f\rg".encode()
    file.write_bytes(said + b"\n")
    assert list(read_lines(file)) == [(1, said)]


def test_a_carriage_return_belongs_to_the_ending_and_only_the_last_one() -> None:
    result = run("convert", "v2-to-v3", say=b'{"msg":"a"}\r\nb\r\r\n')
    assert [json.loads(line)["msg"] for line in result.stdout_bytes.split(b"\n")[:-1]] == ["a", "b\r"]


def test_a_file_is_read_as_standard_input_is(file: Path) -> None:
    file.write_bytes(b'{"msg":"a"}\nb')
    assert run("convert", "v2-to-v3", file).stdout == run("convert", "v2-to-v3", "-", say=file.read_bytes()).stdout


def test_standard_input_is_left_open_and_a_file_is_not(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standard = io.BytesIO(b"a\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=standard))
    file.touch()
    with opened(Path("-")) as one, opened(file) as other:
        assert one is standard
    assert (standard.closed, other.closed) == (False, True)


@pytest.mark.parametrize(("file", "reason"), [("missing", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, file: str, reason: str) -> None:
    assert reason in sentence(run("convert", "v2-to-v3", tmp_path / file))


def test_a_line_without_an_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.lines.LONGEST_LINE_BYTES", 10)
    result = run("convert", "v2-to-v3", say=b"123456789\n12345678901234567890")
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert "line 2 is longer than 10 bytes" in result.stderr


def test_the_end_of_a_line_counts_to_its_length(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.lines.LONGEST_LINE_BYTES", 3)
    file.write_bytes(b"ab\nabc\nabc")
    lines = read_lines(file)
    assert next(lines) == (1, b"ab")
    with pytest.raises(typer.Exit):
        next(lines)
