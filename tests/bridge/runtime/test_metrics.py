"""What `/metrics` says: what all parts of a process count, and what the library knows of the process."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric

from bridge.runtime.metrics import Metrics
from bridge.system.metrics import counter
from bridge.system.part import Part
from tests.bridge.assembled import assembled


class Counting(Part):
    """A part that counts one thing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0

    def metrics(self) -> Iterable[Metric]:
        yield counter(self.name, f"What {self.name} is.", self.number)


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().splitlines()


def test_every_part_is_asked_anew_for_each_scrape() -> None:
    first, second = Counting("first"), Counting("second")
    metrics = Metrics([first, second])
    assert {"first_total 0.0", "second_total 0.0"} <= {*lines(metrics)}
    first.number = 7
    assert {"first_total 7.0", "second_total 0.0"} <= {*lines(metrics)}


def test_a_part_that_came_later_is_asked_too() -> None:
    parts: list[Part] = []
    metrics = Metrics(parts)
    parts.append(Counting("late"))
    assert "late_total 0.0" in lines(metrics)


def test_what_is_counted_says_what_it_is() -> None:
    assert "# HELP one_total What one is." in lines(Metrics([Counting("one")]))


def test_the_process_itself_is_told_too() -> None:
    names = {line.partition(" ")[0].partition("{")[0] for line in lines(Metrics([]))}
    assert {"process_open_fds", "python_info", "python_gc_collections_total"} <= names


async def test_no_two_parts_of_a_process_tell_of_the_same_and_all_say_what_it_is(redis_url: str, prefix: str) -> None:
    async with assembled(redis_url, prefix) as process:
        families = [family for part in process.parts for family in part.metrics()]
    names = [family.name for family in families]
    assert sorted(names) == sorted(set(names))
    assert all(name.startswith("bridge_") for name in names)
    assert all(family.documentation.endswith(".") for family in families)
