"""Upkeep of one process: returns freed memory to the system, and counts its tasks and lines that were not logged."""

import asyncio
from collections.abc import Callable, Iterable, Sized

from prometheus_client.core import Metric

from bridge.runtime.logs import lost_lines
from bridge.system.housekeeping import Housekeeping
from bridge.system.metrics import counters, gauge
from bridge.system.part import Part, Task


class Upkeep(Part):
    """The upkeep of one process. `connected`: the open sockets. `has_much_in_hand`: see `Housekeeping`."""

    def __init__(self, connected: Sized, has_much_in_hand: Callable[[], bool]) -> None:
        self._housekeeping = Housekeeping(connected, has_much_in_hand)

    def tasks(self) -> Iterable[Task]:
        return (self._housekeeping,)

    def metrics(self) -> Iterable[Metric]:
        yield gauge("bridge_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        words = "Lines of the log that were not written."
        yield counters("bridge_log_lines_lost", words, ("why",), lost_lines())
