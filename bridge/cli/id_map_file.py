"""The CSV file of an id map: `v2_id,vision_id` on each line, quoted as RFC 4180 says. Pure.

It never stops at the first problem: the person who corrects the file wants to see all of them, each with its line.

Decided here: a first line `v2_id,vision_id` is a header; empty lines are skipped; spaces are part of an id.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from compat.identity import check_id_map, encode

HEADER: Final = ["v2_id", "vision_id"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem of the file: its line (from 1), and a sentence for the operator."""

    line: int
    sentence: str


def read_id_map(text: str) -> tuple[dict[str, str], list[Problem]]:
    """The map (V2 id -> Vision ID), and all problems sorted by line. Use the map only if there are no problems."""
    problems: list[Problem] = []
    id_map: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, row in _rows(text, problems):
        if len(row) != len(HEADER):
            problems.append(Problem(line, f"has {len(row)} columns; write `v2_id,vision_id`"))
        elif row[0] in id_map:
            problems.append(Problem(line, f"the V2 id {row[0][:32]!r} stands already on line {lines[row[0]]}"))
        else:
            id_map[row[0]], lines[row[0]] = row[1], line
    return id_map, sorted(problems + _collisions(id_map, lines))


def lines_in(text: str) -> dict[str, int]:
    """V2 id -> the line on which it stands, in a file without problems."""
    return {row[0]: line for line, row in _rows(text, [])}


def _rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it begins, without the header and empty rows. Adds CSV errors to `problems`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line, is_first = 1, True
    try:
        for row in reader:
            if row and not (is_first and [name.strip().lower() for name in row] == HEADER):
                yield line, row
            is_first = is_first and not row
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(line, f"cannot be read as CSV: {error}"))


def _collisions(id_map: Mapping[str, str], lines: Mapping[str, int]) -> list[Problem]:
    """Everything that `check_id_map` refuses: first each entry alone, then each pair of entries."""
    refusals = {v2_id: _refusal({v2_id: name}) for v2_id, name in id_map.items()}
    alone = [Problem(lines[v2_id], sentence) for v2_id, sentence in refusals.items() if sentence is not None]
    sound = {v2_id: name for v2_id, name in id_map.items() if refusals[v2_id] is None}
    return alone + _between(sound, lines)


def _between(id_map: Mapping[str, str], lines: Mapping[str, int]) -> list[Problem]:
    """Pairs that `check_id_map` refuses, with its sentences.

    Either both entries have one Vision ID, or the Vision ID of one is the computed name of the other.
    """
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    replaced = {encode(v2_id): v2_id for v2_id in id_map}
    for v2_id, name in id_map.items():
        for other in {owners.setdefault(name, v2_id), replaced.get(name, v2_id)} - {v2_id}:
            sentence = _refusal({other: id_map[other], v2_id: name})
            problems.append(Problem(lines[v2_id], f"{sentence} (see line {lines[other]})"))
    return problems


def _refusal(id_map: Mapping[str, str]) -> str | None:
    try:
        check_id_map(id_map)
    except ValueError as error:
        return str(error)
    return None
