"""Ends tasks, and ends the process by force if something does not end. It knows nothing about what the tasks do.

A library may answer a cancellation with a success or with an error of its own, and the task goes on. So tasks are
cancelled again and again. If a task or a thread still keeps the process from ending, one log line names it, and the
process ends.
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
"""Pause before tasks that have not ended are cancelled again."""
MOST_NAMED: Final = 10
"""Tasks, and threads, that the log line names."""
LAST_TURNS_SECONDS: Final = 0.75
LAST_TURNS_SHARE: Final = 0.15
"""The end of the server and of Python, after the parts: so many seconds, or this share of all, whichever is less."""

log = structlog.get_logger(__name__)


def seconds_for_parts(drain_seconds: float) -> float:
    """How long the parts may take to stop, so that the whole takes `drain_seconds` at most."""
    return drain_seconds - min(LAST_TURNS_SECONDS, LAST_TURNS_SHARE * drain_seconds)


async def end_all(tasks: Collection[asyncio.Task[object]], seconds: float) -> None:
    """Cancel these tasks, again and again, until all have ended, but for `seconds` at most."""
    ends_at = asyncio.get_running_loop().time() + seconds
    while (going_on := [task for task in tasks if not task.done()]) and asyncio.get_running_loop().time() < ends_at:
        for task in going_on:
            task.cancel()
        await asyncio.wait(going_on, timeout=AGAIN_SECONDS)


class LastResort:
    """Ends the process with status 0 if `over` is not called within `seconds` after `begin`.

    It uses a thread of its own, because the event loop may be what hangs. `loop`: the loop whose tasks are named.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_begun = False
        self._said: SimpleQueue[None] = SimpleQueue()  # not a Queue: a signal handler may interrupt a `put`
        self.loop: asyncio.AbstractEventLoop | None = None
        threading.Thread(target=self._watch, name="last resort", daemon=True).start()

    def begin(self) -> None:
        """Start the time. May be called by a signal handler, and more than once."""
        if not self._has_begun:
            self._has_begun = True
            self._said.put(None)

    def over(self) -> None:
        """The process ends normally: do nothing more."""
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
    """Names of tasks of `loop`, and of threads that Python would wait for, at most `MOST_NAMED` each.

    `{"tasks": [...], "threads": [...], "of_tasks": number of all tasks}`
    """
    tasks = [] if loop is None else sorted(map(_name, asyncio.all_tasks(loop)))
    threads = threads_waited_for()
    return {"tasks": tasks[:MOST_NAMED], "threads": threads[:MOST_NAMED], "of_tasks": len(tasks)}


def threads_waited_for() -> list[str]:
    """The names of the threads that Python would wait for at its end."""
    return [one.name for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]


def _name(task: asyncio.Task[object]) -> str:
    return f"{task.get_name()}: {getattr(task.get_coro(), '__qualname__', '?')}"
