"""Measures Aether Bridge beside its peers on one machine: `python -m tests.bench.run`.

Never part of the test suite: its numbers depend on the machine, and it wants the machine for itself.
"""

import json
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.bench import report, scenarios, servers
from tests.bench.processes import CLIENT_CORE
from tests.bench.trial import WARMUP_SECONDS, Conditions, run_trial

HERE = Path(__file__).parent
FILES_NEEDED = 4096


def build_client(directory: Path) -> Path:
    """Compiles the load client; raises `CalledProcessError` where the compiler refuses."""
    program = directory / "load_client"
    subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "load_client.c")], check=True)
    return program


def raise_file_limit() -> None:
    """A thousand sockets on either side want more than the usual 1024 files; servers inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_NEEDED:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_NEEDED, hard), hard))


def install_node_modules(directory: Path) -> None:
    """Fetches what package.json names, once, outside the repository."""
    if (directory / "node_modules" / "socket.io").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(servers.PEERS / "socketio" / "package.json", directory)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], cwd=directory, check=True)


def chosen(words: list[str] | None, known: list[str]) -> list[str]:
    """The known names among the words, in the known order; all of them without a word."""
    for word in words or []:
        if word not in known:
            raise typer.BadParameter(f"{word!r} is none of {', '.join(known)}")
    return [name for name in known if not words or name in words]


def measure_all(names: list[str], asked: list[str], repeat: int, conditions: Conditions) -> list[dict[str, Any]]:
    """Servers take turns within a scenario, so that a slow minute of the machine falls on all of them."""
    trials = []
    for scenario in [scenario for scenario in scenarios.ALL if scenario.name in asked]:
        for _ in range(repeat):
            for name in names:
                trials.append(run_trial(name, servers.ALL[name], scenario, conditions))
                typer.echo(json.dumps(trials[-1]), err=True)
    return trials


def main(
    only: Annotated[list[str] | None, typer.Option(help="bridge, nats, socketio, …; may be repeated.")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="1000x64, …, 200x5, idle; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option(help="How long each trial is measured, after a second of warm-up.")] = 5.0,
    repeat: Annotated[int, typer.Option(help="Trials of each server and scenario; the tables show medians.")] = 1,
    redis_core: Annotated[int, typer.Option(help="The server has core 0, the load client core 1.")] = CLIENT_CORE,
    node_directory: Annotated[Path | None, typer.Option(help="For npm; without it Socket.IO is left out.")] = None,
    bridge_command: Annotated[str, typer.Option(help="What `serve` is appended to.")] = servers.BRIDGE_COMMAND,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where every trial is written.")] = None,
) -> None:
    """Measure, print Markdown tables, write JSON."""
    names = chosen(only, list(servers.ALL))
    asked = chosen(scenario, [each.name for each in scenarios.ALL])
    if "socketio" in names and node_directory is None:
        names.remove("socketio")
        typer.echo("Socket.IO is left out: name a directory outside the repository with --node-directory", err=True)
    elif "socketio" in names and node_directory is not None:
        install_node_modules(node_directory)
    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="aether-bench-") as directory:
        work = Path(directory)
        conditions = Conditions(build_client(work), seconds, redis_core, work, bridge_command, node_directory)
        trials = measure_all(names, asked, repeat, conditions)
    typer.echo(report.tables(trials))
    if json_file is not None:
        circumstances = {"seconds": seconds, "warmup_seconds": WARMUP_SECONDS, "redis_core": redis_core}
        record = {"conditions": circumstances, "trials": trials}
        json_file.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
