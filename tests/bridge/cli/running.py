"""The command line, run as a user would: in this process where that is the same, else as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner, Result

from bridge.cli.main import app
from tests.servers import PROJECT

PROGRAM = [sys.executable, "-m", "bridge.cli.main"]
NO_ADDITIONS: Mapping[str, str] = {}
SECONDS = 100


def run(
    *arguments: str | Path,
    say: str | bytes = b"",
    environment: Mapping[str, str] = NO_ADDITIONS,
    program: Typer = app,
) -> Result:
    """The command in this process, without the `BRIDGE_…` of whoever runs the tests; `say` is its standard input."""
    cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("BRIDGE_")}
    return CliRunner().invoke(program, [str(argument) for argument in arguments], say, {**cleared, **environment})


def environment_of_process(additions: Mapping[str, str] = NO_ADDITIONS) -> dict[str, str]:
    """What a process of its own is started with, so that it finds the packages and no settings but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    path = filter(None, [additions.get("PYTHONPATH"), str(PROJECT), os.environ.get("PYTHONPATH")])
    return {**inherited, **additions, "PYTHONPATH": os.pathsep.join(path)}


def run_apart(
    *arguments: str | Path, say: bytes = b"", environment: Mapping[str, str] = NO_ADDITIONS
) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own, to its end."""
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(
        command, input=say, capture_output=True, timeout=SECONDS, check=False, env=environment_of_process(environment)
    )


def sentence(result: Result) -> str:
    """What a command that could not go on said: one line, with exit status 1 and nothing else."""
    lines = result.stderr.splitlines()
    assert (result.exit_code, result.stdout, len(lines)) == (1, "", 1), result.output
    assert lines[0].startswith("aether-bridge: ")
    return lines[0].removeprefix("aether-bridge: ")
