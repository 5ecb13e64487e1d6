"""`/metrics`: the metric families of all parts of this process, in Prometheus's text. It counts nothing by itself."""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bridge.system.part import Part


class Metrics:
    """A Prometheus collector over the parts of one process, and what the library tells of the process itself."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """`parts` is asked anew for each scrape: it may grow."""
        self._parts = parts
        self._registry: Final = CollectorRegistry()
        self._registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """All families, as they are now."""
        for part in self._parts:
            yield from part.metrics()
