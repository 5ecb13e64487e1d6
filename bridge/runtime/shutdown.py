"""How what goes on by itself is ended, and a last resort for what does not end. It knows none of it.

A library may answer a cancellation with a success or an error of its own, and its caller goes on; so it is said again
and again. What then still holds the process, be it a task or a thread, is named in one line, and the process ends.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Collection
from queue import Empty, SimpleQueue
from typing import Any, Final

import structlog

from bridge.runtime import logs

AGAIN_SECONDS: Final = 0.1
MOST_NAMED: Final = 10

log = structlog.get_logger(__name__)


async def end_all(tasks: Collection[asyncio.Task[object]], seconds: float) -> None:
    """Cancel them until each has ended, but not longer than this."""
    ends_at = asyncio.get_running_loop().time() + seconds
    while (going_on := [task for task in tasks if not task.done()]) and asyncio.get_running_loop().time() < ends_at:
        for task in going_on:
            task.cancel()
        await asyncio.wait(going_on, timeout=AGAIN_SECONDS)


class LastResort:
    """Ends the process, with status 0, when so many seconds after `begin` nobody has said that it is `over`.

    By a thread of its own, for the loop may be what stands still.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_begun = False
        self._said: SimpleQueue[None] = SimpleQueue()  # a signal may come amid a `put`
        self.loop: asyncio.AbstractEventLoop | None = None
        threading.Thread(target=self._watch, name="last resort", daemon=True).start()

    def begin(self) -> None:
        """From now on the time counts. May be called by a signal, and again."""
        if not self._has_begun:
            self._has_begun = True
            self._said.put(None)

    def over(self) -> None:
        """The process ends as it should."""
        self.begin()
        self._said.put(None)

    def _watch(self) -> None:
        self._said.get()
        with contextlib.suppress(Empty):
            self._said.get(timeout=self._seconds)
            return
        log.error("ended_by_force", seconds=self._seconds, **going_on(self.loop))
        logs.flush()
        os._exit(0)


def going_on(loop: asyncio.AbstractEventLoop | None) -> dict[str, Any]:
    """Some of the tasks of a loop, and of the threads that Python would wait for, by name."""
    tasks = [] if loop is None else sorted(map(_name, asyncio.all_tasks(loop)))
    threads = [one.name for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    return {"tasks": tasks[:MOST_NAMED], "threads": threads[:MOST_NAMED], "of_tasks": len(tasks)}


def _name(task: asyncio.Task[object]) -> str:
    return f"{task.get_name()}: {getattr(task.get_coro(), '__qualname__', '?')}"
