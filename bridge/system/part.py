"""What a room hands to the process: one assembled part, with its tasks, its metrics, and how it starts and stops."""

from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import Metric


class Task(Protocol):
    """What goes on by itself for as long as the process runs."""

    async def run(self) -> None:
        """Ends by cancellation only. Where it raises it is begun again."""


class Part:
    """A room, assembled. The process starts its parts in one order, and stops them in the reverse one."""

    def tasks(self) -> Iterable[Task]:
        """What runs from before `start` until after `stop`."""
        return ()

    def metrics(self) -> Iterable[Metric]:
        """The metric families of this room as they are now: read when asked for."""
        return ()

    async def start(self) -> None:
        """What must be waited for before clients are served; bounded in time by the part itself."""

    async def stop(self) -> None:
        """What is said and waited for when the process stops; bounded in time by the process."""
