"""Trials become a page of Markdown. Pure: it formats what was measured and drops nothing.

A cell is the median of a server's trials; a trial with errors or lost deliveries is marked, not hidden.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Final

from tests.bench import bars, servers
from tests.bench.figures import (
    BUSY,
    DELIVERIES,
    Spread,
    Trial,
    marks,
    middle,
    of,
    per_processor_second,
    ratio,
    spread,
)
from tests.bench.scenarios import ALL, GROUPS, GROWTH, LISTENERS, WITH_GROWTH, Kind, Scenario

NOTHING: Final = "–"
LEGEND: Final = (
    "`!`: a trial with an error, a loss or a failure. "
    f"`g`: the load client was busy for more than {BUSY:.0%} of its core, so this may be its limit, "
    "not the server's."
)


def page(trials: Sequence[Trial], about: Mapping[str, str], left_out: Sequence[str]) -> str:
    """The whole report. `about` says where and how it was measured, `left_out` what is not in it, and why."""
    parts = [
        "# What was measured",
        "\n".join(f"- {name}: {words}" for name, words in about.items()),
        _section("The bars", bar_table(trials)),
        _section("Deliveries a second", _deliveries(trials), LEGEND),
        _section("The bridge against each: median (least – most) of the rounds", _ratios(trials)),
        _section("One message at a time: until all have heard it, p50 / p99", _latencies(trials)),
        _section("Handshakes and idle connections", _storms(trials)),
        _section("Growth: deliveries for each second of the server's processor", _growth(trials)),
        _section("Processor time of the server for each message", _processor(trials)),
        _section("Left out", "\n".join(f"- {words}" for words in left_out)),
        _section("Errors", failures(trials)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *parts]) if parts[0] else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; empty without a row below its head."""
    if len(rows) < 2:
        return ""
    ruled = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)


def bar_table(trials: Sequence[Trial]) -> str:
    """Each bar of which all was measured, and whether it is reached."""
    rows = [["work", "bar", "median", "least – most", "rounds", "reached"]]
    for bar in bars.ALL:
        measured = bar.measured(trials)
        if measured is not None:
            verdict = "yes" if bar.is_reached(measured) else "**no**"
            span = f"{_number(measured.least)} – {_number(measured.most)}"
            rows.append([bar.work, bar.words, _number(measured.middle), span, str(measured.rounds), verdict])
    return table(rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _tried(trials: Iterable[Trial], scenarios: Iterable[Scenario]) -> list[str]:
    names, wanted = {trial["server"] for trial in trials}, {scenario.name for scenario in scenarios}
    tried = {trial["server"] for trial in trials if trial["scenario"] in wanted}
    return [name for name in servers.ALL if name in tried & names]


def _scenarios(trials: Iterable[Trial], kind: Kind) -> list[Scenario]:
    tried, apart = {trial["scenario"] for trial in trials}, {*LISTENERS, *GROUPS}
    return [each for each in ALL if each.name in tried and each.kind == kind and each not in apart]


def _cells(
    trials: Sequence[Trial], kind: Kind, head: str, cell: Callable[[str, Scenario], str], without: Sequence[str] = ()
) -> str:
    """A row for each server that was tried, a column for each scenario of this kind."""
    scenarios = _scenarios(trials, kind)
    names = [name for name in _tried(trials, scenarios) if name not in without]
    rows = [[head, *(scenario.title for scenario in scenarios)]]
    rows += [[servers.ALL[name].title, *(cell(name, scenario) for scenario in scenarios)] for name in names]
    return table(rows)


def _deliveries(trials: Sequence[Trial]) -> str:
    def cell(name: str, scenario: Scenario) -> str:
        mine = of(trials, name, scenario.name)
        value = middle(mine, name, scenario.name, DELIVERIES)
        return _marked(NOTHING if value is None else quantity(value), marks(mine))

    return _cells(trials, "talk", "server", cell)


def quantity(value: float) -> str:
    """A number as people say it: 4.72 M, 160 k, 812."""
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value / 1e3:.0f} k" if value >= 10_000 else f"{value:,.0f}"


def _marked(words: str, mark: str) -> str:
    return f"{words} `{mark}`" if mark else words


def _ratios(trials: Sequence[Trial]) -> str:
    def cell(name: str, scenario: Scenario) -> str:
        return _spread(spread(ratio(scenario.name, name)(trials)))

    return _cells(trials, "talk", "against", cell, without=["bridge"])


def _spread(measured: Spread | None) -> str:
    if measured is None:
        return NOTHING
    return f"{_number(measured.middle)} ({_number(measured.least)} – {_number(measured.most)})"


def _latencies(trials: Sequence[Trial]) -> str:
    def cell(name: str, scenario: Scenario) -> str:
        p50, p99 = (middle(trials, name, scenario.name, number) for number in ("p50_us", "p99_us"))
        words = NOTHING if p50 is None or p99 is None else f"{p50 / 1000:.3f} / {p99 / 1000:.3f} ms"
        return _marked(words, marks(of(trials, name, scenario.name)))

    return _cells(trials, "one", "server", cell)


def _storms(trials: Sequence[Trial]) -> str:
    def cell(name: str, scenario: Scenario) -> str:
        numbers = ("opened_per_second", "handshake_us", "kib_per_connection")
        values = [middle(trials, name, scenario.name, number) for number in numbers]
        rate, cost, memory = (
            NOTHING if value is None else f"{value:,.{place}f}" for value, place in zip(values, (0, 0, 1), strict=True)
        )
        words = f"{rate} a second, {cost} µs each" + (f"; {memory} KiB" if scenario.opening > 1 else "")
        return _marked(words, marks(of(trials, name, scenario.name)))

    return _cells(trials, "storm", "server", cell)


def _growth(trials: Sequence[Trial]) -> str:
    rows = [["server", "size", "deliveries for a second of processor", "of the best", "deliveries a second"]]
    for server, sizes in product(WITH_GROWTH, GROWTH.values()):
        values = {each: spread(list(per_processor_second(trials, server, each.name).values())) for each in sizes}
        measured = {each: value for each, value in values.items() if value is not None}
        best = max((value.middle for value in measured.values()), default=0)
        for scenario, value in measured.items():
            mine = of(trials, server, scenario.name)
            rate = _marked(quantity(middle(mine, server, scenario.name, DELIVERIES) or 0), marks(mine))
            title = servers.ALL[server].title
            rows.append([title, scenario.title, quantity(value.middle), f"{value.middle / best:.2f}", rate])
    return table(rows)


def _processor(trials: Sequence[Trial]) -> str:
    def cell(name: str, scenario: Scenario) -> str:
        values = [middle(trials, name, scenario.name, number) for number in ("server_us", "server_cpu", "client_cpu")]
        if values[0] is None:
            return NOTHING
        shares = " / ".join(f"{share or 0:.0%}" for share in values[1:])
        return f"{_number(values[0])} µs ({shares})"

    return _cells(trials, "talk", "server (its core / the load client's)", cell)


def failures(trials: Iterable[Trial]) -> str:
    """What failed, and what the load client complained of."""
    said = [(trial, trial.get("failed") or trial.get("complaint")) for trial in trials]
    return "\n".join(
        f"- {trial['server']}, {trial['scenario']}, round {trial['round']}: {' '.join(words.split())[-300:]}"
        for trial, words in said
        if words
    )
