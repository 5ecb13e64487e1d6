"""Trials become Markdown tables. Pure: it formats what was measured and drops nothing.

A server's number is the median of its trials; a trial with errors or lost deliveries is marked, not hidden.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench import scenarios, servers

Trial = Mapping[str, Any]


def tables(trials: Sequence[Trial]) -> str:
    """The whole report: deliveries, then the bridge against each peer, then the particulars of each trial."""
    parts = [_deliveries(trials), _memory(trials), _ratios(trials), _particulars(trials), _failures(trials)]
    return "\n\n".join(part for part in parts if part)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    ruled = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)


def _names(trials: Iterable[Trial]) -> list[str]:
    tried = {trial["server"] for trial in trials}
    return [name for name in servers.ALL if name in tried]


def _talking(trials: Iterable[Trial]) -> list[scenarios.Scenario]:
    tried = {trial["scenario"] for trial in trials}
    return [scenario for scenario in scenarios.ALL if scenario.name in tried and scenario.window]


def _median(trials: Iterable[Trial], server: str, scenario: str, number: str) -> float | None:
    values = [t[number] for t in trials if (t["server"], t["scenario"]) == (server, scenario) and number in t]
    return median(values) if values else None


def _cell(trials: Sequence[Trial], server: str, scenario: str) -> str:
    value = _median(trials, server, scenario, "deliveries_per_second")
    if value is None:
        return "–"
    mine = [t for t in trials if (t["server"], t["scenario"]) == (server, scenario)]
    whole = all("failed" not in t and not t["errors"] and not t["lost"] for t in mine)
    return f"{value / 1e6:.3f} M{'' if whole else ' (!)'}"


def _deliveries(trials: Sequence[Trial]) -> str:
    names = _names(trials)
    rows = [["deliveries per second", *(servers.ALL[name].title for name in names)]]
    for scenario in _talking(trials):
        rows.append([scenario.title, *(_cell(trials, name, scenario.name) for name in names)])
    return _markdown(rows) if len(rows) > 1 else ""


def _memory(trials: Sequence[Trial]) -> str:
    names = _names(trials)
    values = [_median(trials, name, "idle", "bytes_per_connection") for name in names]
    if all(value is None for value in values):
        return ""
    cells = ["–" if value is None else f"{value / 1024:.1f} KiB" for value in values]
    return _markdown([["memory", *(servers.ALL[name].title for name in names)], ["per idle connection", *cells]])


def _ratio(trials: Sequence[Trial], peer: str, scenario: str) -> str:
    ours = _median(trials, "bridge", scenario, "deliveries_per_second")
    theirs = _median(trials, peer, scenario, "deliveries_per_second")
    return f"{ours / theirs:.2f} ×" if ours is not None and theirs else "–"


def _ratios(trials: Sequence[Trial]) -> str:
    peers = [name for name in _names(trials) if name != "bridge"]
    if not peers or len(peers) == len(_names(trials)):
        return ""
    rows = [["the bridge against", *(servers.ALL[peer].title for peer in peers)]]
    for scenario in _talking(trials):
        rows.append([scenario.title, *(_ratio(trials, peer, scenario.name) for peer in peers)])
    return _markdown(rows)


def _particulars(trials: Sequence[Trial]) -> str:
    heads = "messages/s, deliveries/s, p50 µs, p99 µs, errors, lost, server core, Redis core, client core"
    rows = [["trial", *heads.split(", "), "server µs", "Redis µs"]]
    for trial in trials:
        if "failed" not in trial:
            rows.append(_particular(trial))
    return _markdown(rows) if len(rows) > 1 else ""


def _particular(trial: Trial) -> list[str]:
    counts = [f"{trial[key]:,.0f}" for key in ("messages_per_second", "deliveries_per_second", "p50_us", "p99_us")]
    faults = [str(trial["errors"]), str(trial["lost"])]
    shares = [f"{trial[key]:.0%}" for key in ("server_cpu", "redis_cpu", "client_cpu")]
    each = [_microseconds_a_message(trial, core) for core in ("server_cpu", "redis_cpu")]
    return [f"{trial['server']} {trial['scenario']}", *counts, *faults, *shares, *each]


def _microseconds_a_message(trial: Trial, core: str) -> str:
    messages = trial["messages_per_second"]
    return f"{trial[core] / messages * 1e6:.1f}" if messages else "–"


def _failures(trials: Sequence[Trial]) -> str:
    said = [(trial, trial.get("failed") or trial.get("complaint")) for trial in trials]
    return "\n".join(f"- {trial['server']} {trial['scenario']}: {words}" for trial, words in said if words)
