"""What the trials of a run say together: medians, and ratios of two servers round by round. Pure; it drops nothing.

A ratio is taken within one round, in which both servers were measured within minutes of each other; its median, least
and most are those of the rounds.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from tests.bench.scenarios import GROWTH

Trial = Mapping[str, Any]
Figure = Callable[[Sequence[Trial]], list[float]]
"""One value for each round in which all was measured that it needs."""

DELIVERIES: Final = "deliveries_per_second"
BUSY: Final = 0.9
"""A load client that was busy for more than this share of its core may have been what held the server up."""


class Spread(NamedTuple):
    """Of so many rounds."""

    least: float
    middle: float
    most: float
    rounds: int


def spread(values: Sequence[float]) -> Spread | None:
    return Spread(min(values), median(values), max(values), len(values)) if values else None


def of(trials: Iterable[Trial], server: str, scenario: str) -> list[Trial]:
    """The trials of one server in one scenario."""
    return [trial for trial in trials if (trial["server"], trial["scenario"]) == (server, scenario)]


def by_round(trials: Iterable[Trial], server: str, scenario: str, number: str) -> dict[int, float]:
    """The values of one number, where it was measured and is not 0."""
    return {trial["round"]: trial[number] for trial in of(trials, server, scenario) if trial.get(number)}


def middle(trials: Iterable[Trial], server: str, scenario: str, number: str) -> float | None:
    """The median of one number."""
    values = by_round(trials, server, scenario, number).values()
    return median(values) if values else None


def amount(scenario: str, number: str, server: str = "bridge") -> Figure:
    """A number as it was measured."""
    return lambda trials: list(by_round(trials, server, scenario, number).values())


def ratio(scenario: str, against: str, server: str = "bridge", number: str = DELIVERIES) -> Figure:
    """A number of one server, divided by that of another in the same round."""

    def figure(trials: Sequence[Trial]) -> list[float]:
        ours, theirs = (by_round(trials, name, scenario, number) for name in (server, against))
        return [ours[each] / theirs[each] for each in sorted(ours.keys() & theirs.keys())]

    return figure


def growth(kind: str, server: str = "bridge") -> Figure:
    """What the server does in a second of its processor at the worst size, divided by that at the best."""

    def figure(trials: Sequence[Trial]) -> list[float]:
        rounds: dict[int, list[float]] = defaultdict(list)
        for scenario in GROWTH[kind]:
            for number, value in per_processor_second(trials, server, scenario.name).items():
                rounds[number].append(value)
        return [min(values) / max(values) for values in rounds.values() if len(values) == len(GROWTH[kind])]

    return figure


def per_processor_second(trials: Iterable[Trial], server: str, scenario: str) -> dict[int, float]:
    """Deliveries for each second of processor time of the server, by round."""
    return {
        trial["round"]: trial[DELIVERIES] / trial["server_cpu"]
        for trial in of(trials, server, scenario)
        if trial.get(DELIVERIES) and trial.get("server_cpu")
    }


def marks(trials: Iterable[Trial]) -> str:
    """`!` where a trial has errors or losses or failed, `g` where the load client may have been the limit."""
    tried = list(trials)
    faulty = any("failed" in trial or trial["errors"] or trial["lost"] for trial in tried)
    busy = any(trial.get("client_cpu", 0) > BUSY for trial in tried)
    return ("!" if faulty else "") + ("g" if busy else "")
