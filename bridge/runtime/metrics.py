"""The metrics of all parts of this process, in the Prometheus text format. It counts nothing itself."""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bridge.system.part import Part


class Metrics:
    """A Prometheus collector of the parts' metrics, registered with the library's collectors for the process itself."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """`parts` is read at each scrape, since it may grow."""
        self._parts = parts
        self._registry: Final = CollectorRegistry()
        self._registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def exposition(self) -> bytes:
        """All metrics in the Prometheus text format, UTF-8."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """The metric families of all parts, as they are now."""
        for part in self._parts:
            yield from part.metrics()
