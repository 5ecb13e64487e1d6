"""Metrics of several workers: the worker that is scraped asks the others, and adds the numbers up.

It counts nothing itself. A scrape reaches one worker, which the kernel chooses, and must be answered for all. Numbers
are added up, except where a sum means nothing (`NOT_ADDED`). Each worker listens on a unix socket in the command's own
directory, and nowhere else.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from bridge.runtime.heartbeat import Heartbeat
from bridge.system.background import run_in_background, run_in_turns
from bridge.system.part import Part, Task

ANSWER_SECONDS: Final = 1.0
"""A worker that does not answer in this time is left out."""
NOT_ADDED: Final[Mapping[str, Callable[[Iterable[float]], float]]] = {
    "bridge_bus_up": min,
    "bridge_subscriber_up": min,
    "bridge_api_keys": max,
    "bridge_configuration_info": max,
    "bridge_tenant_stage": max,
    "bridge_tenant_share_percent": max,
    "process_start_time_seconds": min,
    "process_max_fds": min,
    "python_info": max,
}
"""Metrics that are not added up over processes, and how they are combined instead."""

Exposition = Callable[[], bytes]
"""Returns the metrics of this worker in the Prometheus text format."""


class WorkerGroup(Part):
    """One worker, and how it reaches the others. `directory`: of the command; `number`: this worker's.

    `heart`: the descriptor of the pipe into which its heart beats.
    """

    def __init__(self, directory: Path, number: int, heart: int) -> None:
        self.number: Final = number
        self._heartbeat = Heartbeat(heart)
        self._directory = directory
        self._place = directory / f"{number}.sock"
        self._exposition: Exposition = bytes
        self._adding: Final = asyncio.Lock()

    def reload_all(self) -> None:
        """Have every worker read the configuration anew: their command passes SIGHUP on."""
        os.kill(os.getppid(), signal.SIGHUP)

    def say(self, exposition: Exposition) -> None:
        """Set what this worker answers when it is asked for its own metrics."""
        self._exposition = exposition

    def tasks(self) -> Iterable[Task]:
        return (self, self._heartbeat)

    async def run(self) -> None:
        """Answer other workers until cancelled."""
        self._place.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._answer, self._place)
        async with server:
            await server.serve_forever()

    async def everyone(self) -> bytes:
        """The metrics of all living workers, as one. A worker that does not answer in time is left out.

        They are added up in the background, for one scrape at a time.
        """
        others = [place for place in sorted(self._directory.glob("*.sock")) if place != self._place]
        said = await asyncio.gather(*map(_ask, others))
        async with self._adding:
            whole = _Sum()
            await run_in_turns(whole.add([self._exposition(), *filter(None, said)]))
            return await run_in_background(whole.exposition)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._exposition())
        writer.close()
        await writer.wait_closed()


async def _ask(place: Path) -> bytes:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(place)
            try:
                return await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""  # the worker is starting, or has ended


class _Sum:
    """The sum of several expositions, with the part of a registry's interface that `generate_latest` uses."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}
        self._values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
        """Family -> name and labels of a sample -> its values."""

    def add(self, expositions: Iterable[bytes]) -> Iterator[None]:
        """Add these, one metric family a step."""
        for exposition in expositions:
            for family in text_string_to_metric_families(exposition.decode()):
                self._add(family)
                yield

    def _add(self, family: Metric) -> None:
        self._families.setdefault(family.name, family)
        samples = self._values.setdefault(family.name, {})
        for sample in family.samples:
            samples.setdefault((sample.name, tuple(sorted(sample.labels.items()))), []).append(sample.value)

    def collect(self) -> Iterable[Metric]:
        """Each metric family once, with its values combined."""
        for name, family in self._families.items():
            whole = Metric(name, family.documentation, family.type)
            for (sample, labels), values in self._values[name].items():
                whole.add_sample(sample, dict(labels), NOT_ADDED.get(name, sum)(values))
            yield whole

    def exposition(self) -> bytes:
        """The sum in the Prometheus text format."""
        return generate_latest(cast(CollectorRegistry, self))


def added_up(expositions: Iterable[bytes]) -> bytes:
    """One exposition from those of several processes."""
    whole = _Sum()
    for _ in whole.add(expositions):
        pass
    return whole.exposition()
