"""Builds Prometheus metric families from plain numbers, with one call for each. It counts nothing itself.

In all functions `words` is the help text. Metric names carry their unit. Labels are bounded: tenants, protocols, codes
and the like come from closed lists.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Values = TypeVar("Values", bound=str | tuple[str, ...])
"""The label values of one sample: a tuple, or the value by itself if there is only one label."""


def counter(name: str, words: str, number: float) -> Metric:
    """A counter without labels; Prometheus shows it as `name_total`."""
    return CounterMetricFamily(name, words, number)


def counters(name: str, words: str, labels: Sequence[str], numbers: Mapping[Values, float]) -> Metric:
    """A counter with one sample for each set of label values."""
    return _labelled(CounterMetricFamily(name, words, labels=labels), numbers)


def gauge(name: str, words: str, number: float) -> Metric:
    """A gauge without labels."""
    return GaugeMetricFamily(name, words, number)


def gauges(name: str, words: str, labels: Sequence[str], numbers: Mapping[Values, float]) -> Metric:
    """A gauge with one sample for each set of label values."""
    return _labelled(GaugeMetricFamily(name, words, labels=labels), numbers)


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, numbers: Mapping[Values, float]) -> Metric:
    for values, number in numbers.items():
        family.add_metric((values,) if isinstance(values, str) else values, number)
    return family
