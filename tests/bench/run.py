"""Measures Aether Bridge beside its peers on one machine: `python -m tests.bench.run`, or `make bench`.

Never part of the test suite: its numbers depend on the machine, and it wants the machine for itself.
"""

import json
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tests.bench import machine, peers, picture, report, scenarios, servers
from tests.bench.figures import DELIVERIES
from tests.bench.peers import Peers
from tests.bench.processes import CLIENT_CORE
from tests.bench.scenarios import Scenario
from tests.bench.trial import Conditions, run_trial

HERE: Final = Path(__file__).parent
FILES_NEEDED: Final = 20_000
QUICK_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Turn:
    """One trial of a plan."""

    round: int
    scenario: Scenario
    server: str


def raise_file_limit() -> None:
    """Ten thousand sockets on either side want more than the usual 1024 files; servers inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_NEEDED:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_NEEDED, hard), hard))


def chosen(words: Sequence[str], known: Sequence[str]) -> list[str]:
    """The known names among the words, which may be lists with commas, in the known order."""
    named = [name for word in words for name in word.replace(",", " ").split()]
    for name in named:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}")
    return [name for name in known if name in named]


def plan(rounds: int, only: Sequence[str], wanted: Sequence[str]) -> list[Turn]:
    """Round by round, so that a slow minute of the machine falls on all; in each round another server is the first.

    Without `only` each scenario has its own servers, without `wanted` there are the usual scenarios.
    """
    turns = []
    asked = [scenarios.BY_NAME[name] for name in wanted] if wanted else scenarios.USUAL
    for number in range(rounds):
        for scenario in asked:
            names = [name for name in only if wanted or name in scenario.servers] if only else list(scenario.servers)
            first = number % len(names) if names else 0
            turns += [Turn(number + 1, scenario, name) for name in names[first:] + names[:first]]
    return turns


def missing(turns: Sequence[Turn], installed: Peers) -> dict[str, str]:
    """Server -> what is to be installed first."""
    names = dict.fromkeys(turn.server for turn in turns)
    told = {name: servers.ALL[name].missing(installed) for name in names}
    return {name: words for name, words in told.items() if words}


def measure_all(turns: Sequence[Turn], conditions: Conditions, trials: list[dict[str, Any]]) -> None:
    """Add each trial to the list, and say on the standard error what came of it and how long the rest will take."""
    whole = sum(turn.scenario.seconds(conditions.seconds) for turn in turns)
    typer.echo(f"{len(turns)} trials, about {whole / 60:.0f} minutes", err=True)
    began, done = time.monotonic(), 0.0
    for index, turn in enumerate(turns, 1):
        trial = run_trial(turn.server, servers.ALL[turn.server], turn.scenario, conditions)
        done += turn.scenario.seconds(conditions.seconds)
        left = (time.monotonic() - began) / done * (whole - done)
        place = f"[{index}/{len(turns)}] round {turn.round}, {turn.scenario.name}, {turn.server}"
        typer.echo(f"{place}: {words_of(trial, turn.scenario)}; {left / 60:.0f} minutes left", err=True)
        trials.append({"round": turn.round, **trial})


def words_of(trial: dict[str, Any], scenario: Scenario) -> str:
    """What came of a trial, in a few words."""
    if "failed" in trial:
        return f"FAILED, {trial['failed'][-200:]}"
    faults = f", {trial['errors']} errors, {trial['lost']} lost" if trial["errors"] or trial["lost"] else ""
    if scenario.kind == "storm":
        return f"{trial['opened_per_second']:,.0f} handshakes/s, {trial['kib_per_connection']:.1f} KiB each{faults}"
    if scenario.kind == "one":
        return f"p50 {trial['p50_us'] / 1000:.3f} ms{faults}"
    return f"{report.quantity(trial[DELIVERIES])} deliveries/s{faults}"


def main(
    *,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Servers: {', '.join(servers.ALL)}; may be repeated, or have commas.")
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option(help=f"Scenarios: {', '.join(scenarios.BY_NAME)}; likewise.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Ratios are taken within a round; bars want five of them.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long each trial is measured, after a warm-up.")] = 2.0,
    quick: Annotated[bool, typer.Option("--quick", help="One short round: whether all works, not how fast.")] = False,
    redis_core: Annotated[int, typer.Option(help="The server has core 0, the load client core 1.")] = CLIENT_CORE,
    directory: Annotated[Path | None, typer.Option("--peers", help="Where peers are installed, once.")] = None,
    python: Annotated[str | None, typer.Option(help="A Python of 3.12 or newer, for wse-server.")] = None,
    bridge_command: Annotated[str, typer.Option(help="What `serve` is appended to.")] = servers.BRIDGE_COMMAND,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where every trial is written.")] = None,
    again: Annotated[Path | None, typer.Option(help="Measure nothing: report what --json has written here.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write RESULTS.md and results.svg beside this.")] = False,
) -> None:
    """Measure, and print a report in Markdown. Numbers of a machine that does something else are worth nothing."""
    if again is not None:
        record = json.loads(again.read_text())
    else:
        rounds, seconds = (1, QUICK_SECONDS) if quick else (rounds, seconds)
        turns = plan(rounds, chosen(only or [], list(servers.ALL)), chosen(scenario or [], list(scenarios.BY_NAME)))
        with tempfile.TemporaryDirectory(prefix="aether-bench-") as work:
            installed = Peers(directory or peers.usual_directory(), Path(work) / "built")
            peers.build(installed.built)
            peers.install(installed, python)
            conditions = Conditions(installed, seconds, redis_core, Path(work), bridge_command)
            record = run(turns, conditions, machine.described(installed, rounds, seconds))
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=1) + "\n")
    page = report.page(record["trials"], record["about"], record["left_out"])
    typer.echo(page)
    if write and (only or scenario or quick):
        typer.echo("RESULTS.md stays as it is: this was not the whole.", err=True)
    elif write:
        (HERE / "RESULTS.md").write_text(page)
        (HERE / "results.svg").write_text(picture.draw(record["trials"]))


def run(turns: Sequence[Turn], conditions: Conditions, about: dict[str, str]) -> dict[str, Any]:
    """All that a report needs. An interrupt ends the run, and what was measured until then counts."""
    raise_file_limit()
    absent = missing(turns, conditions.peers)
    left_out = [f"{servers.ALL[name].title}: {words}" for name, words in absent.items()]
    for words in left_out:
        typer.echo(f"left out: {words}", err=True)
    trials: list[dict[str, Any]] = []
    try:
        measure_all([turn for turn in turns if turn.server not in absent], conditions, trials)
    except KeyboardInterrupt:
        left_out.append("what came after the interrupt")
    return {"about": about, "left_out": left_out, "trials": trials}


if __name__ == "__main__":
    typer.run(main)
