"""The interface between a room and the process: one assembled part, with its tasks, metrics, start and stop."""

from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import Metric


class Task(Protocol):
    """A job that runs for as long as the process does."""

    async def run(self) -> None:
        """Run until cancelled. If it raises, the process logs and counts that, and runs it again."""


class Part:
    """A room, assembled. The process starts its parts in a fixed order, and stops them in the reverse order."""

    def tasks(self) -> Iterable[Task]:
        """The tasks of this room. They run from before `start` until after `stop`."""
        return ()

    def metrics(self) -> Iterable[Metric]:
        """The Prometheus metric families of this room, with the values of this moment."""
        return ()

    async def start(self) -> None:
        """Wait for what must be there before clients are served. The part itself bounds the time."""

    async def stop(self) -> None:
        """Send what must be sent before the process stops, and wait for it. The process bounds the time."""
