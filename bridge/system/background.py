"""Runs long work in one background thread, one call after the other, so that the event loop goes on.

Only for work in Python code: the thread yields the interpreter between Python instructions, so one long call into C
would hold up the event loop too.

Calls are served in order of arrival, for all tenants together. So a call must be short, or be split into steps
(`run_in_turns`), and each caller must bound how many calls it has waiting. These callers are: the two reports that
may run at once (`records/report_turns.py`), the facts for each tenant's guards, one call each, one id map, and one sum
of workers' metrics.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Final, ParamSpec, TypeVar

from bridge.system.allocator import c_library

GIVE_WAY_SECONDS: Final = 0.0005
"""How long the event loop waits for the interpreter while the thread has it. Python's default of 5 ms would be felt."""
TURN_SECONDS: Final = 0.01
"""How long the steps of one `run_in_turns` run before other calls have their turn."""

P = ParamSpec("P")
T = TypeVar("T")

_thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")


async def run_in_background(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run `call` in the thread; return what it returns, raise what it raises."""
    sys.setswitchinterval(GIVE_WAY_SECONDS)
    return await asyncio.get_running_loop().run_in_executor(_thread, _call, lambda: call(*arguments, **named))


def _call(call: Callable[[], T]) -> T:
    """Run with the C library's allocator: the call makes many objects, and nearly all of them are soon freed."""
    with c_library:
        return call()


async def run_in_turns(steps: Iterator[object]) -> None:
    """Take every item of `steps` in the thread, for `TURN_SECONDS` at a time; other calls run in between."""
    while await run_in_background(_take_some, steps):
        pass


def _take_some(steps: Iterator[object]) -> bool:
    """Take items for `TURN_SECONDS`; return whether there may be more."""
    until = perf_counter() + TURN_SECONDS
    return any(perf_counter() > until for _ in steps)
