"""`aether-bridge convert`: a filter that converts between V2 and V3, one line in and one line out."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from bridge.audit.conversion import REFUSED, Converted, to_v2, to_v3
from bridge.cli.dialect import DialectOption, read_dialect
from bridge.cli.lines import read_lines
from bridge.cli.options import STANDARD_INPUT, ConfigOption
from bridge.system.visible import visible
from compat.dialect import Dialect

Direction = Literal["v2-to-v3", "v3-to-v2"]

NOTHING_TO_SAY: Final = b"null"
_CONVERSIONS: Final[Mapping[Direction, Callable[[bytes, Dialect], Converted]]] = {"v2-to-v3": to_v3, "v3-to-v2": to_v2}


def convert(
    context: typer.Context,
    direction: Annotated[Direction, typer.Argument(help="From which language to which.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="One message a line; - is standard input.")] = STANDARD_INPUT,
    config: ConfigOption = None,
    tenant: DialectOption = None,
    summary: Annotated[
        bool | None,
        typer.Option(help="Count the lines by what became of them, on standard error; always on a terminal."),
    ] = None,
) -> None:
    """Say messages in the other language, content alone, a line for a line.

    From V2 every line is a frame as a client would send it; one that is no JSON is text. From V3 a line is a message;
    for what V2 has no word for (presence, heartbeat, echo) the line is null. A line that cannot be read gives null too,
    a sentence on standard error, and exit status 1 at the end. Empty lines are passed over.

    ```sh
    echo '{"msg": "hi"}' | aether-bridge convert v2-to-v3
    aether-bridge convert v3-to-v2 said.jsonl --config bridge.toml --tenant acme
    ```
    """
    counts = _convert(file, _CONVERSIONS[direction], read_dialect(context, config, tenant))
    if summary or (summary is None and sys.stderr.isatty()):
        said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        typer.echo(f"{counts.total()} lines: {said or 'nothing to convert'}", err=True)
    if counts[REFUSED]:
        raise typer.Exit(1)


def _convert(file: Path, conversion: Callable[[bytes, Dialect], Converted], dialect: Dialect) -> Counter[str]:
    counts: Counter[str] = Counter()
    output = sys.stdout.buffer
    for number, line in read_lines(file):
        if not line:
            counts["empty"] += 1
            continue
        converted = conversion(line, dialect)
        counts[converted.outcome] += 1
        if converted.problem:
            typer.echo(f"aether-bridge: line {number} {visible(converted.problem)}", err=True)
        output.write((converted.line or NOTHING_TO_SAY) + b"\n")
        output.flush()
    return counts
