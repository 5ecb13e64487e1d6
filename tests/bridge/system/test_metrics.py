"""Numbers as Prometheus shows them."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from bridge.system.metrics import counter, counters, gauge, gauges


def shown(family: Metric) -> list[str]:
    class One(Collector):
        def collect(self) -> list[Metric]:
            return [family]

    registry = CollectorRegistry()
    registry.register(One())
    return generate_latest(registry).decode().splitlines()


@pytest.mark.parametrize(
    ("family", "kind", "samples"),
    [
        (counter("seen", "Seen.", 3), "counter", ["seen_total 3.0"]),
        (gauge("seen", "Seen.", True), "gauge", ["seen 1.0"]),
        (counters("seen", "Seen.", ("why",), {"late": 2}), "counter", ['seen_total{why="late"} 2.0']),
        (gauges("seen", "Seen.", ("a", "b"), {("x", "y"): 1}), "gauge", ['seen{a="x",b="y"} 1.0']),
        (gauges("seen", "Seen.", ("a",), {}), "gauge", []),
    ],
)
def test_each_number_has_its_labels_and_each_family_its_kind_and_words(
    family: Metric, kind: str, samples: list[str]
) -> None:
    name = "seen_total" if kind == "counter" else "seen"
    assert shown(family) == [f"# HELP {name} Seen.", f"# TYPE {name} {kind}", *samples]
