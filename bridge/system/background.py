"""Long work beside the event loop: in one thread, one piece after the other, which gives way to the loop all the time.

For work of Python's own steps alone: a single call into C that takes long holds everybody up, wherever it is made.

First come, first served, over all tenants: so a piece must be short, or be taken in turns (`aside_in_turns`), and
whoever has work made must have few pieces waiting. Those are the two reports that are made at once
(`records/report_turns.py`), the facts of a tenant's guards, one each, and one id map.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Final, ParamSpec, TypeVar

from bridge.system.allocator import c_library

GIVE_WAY_SECONDS: Final = 0.0005
"""So long the loop waits for the interpreter while the thread has it; Python's own 5 ms would be felt by everyone."""
TURN_SECONDS: Final = 0.01

P = ParamSpec("P")
T = TypeVar("T")

_thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")


async def aside(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `call` returns or raises."""
    sys.setswitchinterval(GIVE_WAY_SECONDS)
    return await asyncio.get_running_loop().run_in_executor(_thread, _call, lambda: call(*arguments, **named))


def _call(call: Callable[[], T]) -> T:
    """On memory of the C library, since what is made here is much, and goes: but for a few objects, which stay."""
    with c_library:
        return call()


async def aside_in_turns(steps: Iterator[object]) -> None:
    """Take all steps, some of them at a time: others' pieces come between."""
    while await aside(_take_some, steps):
        pass


def _take_some(steps: Iterator[object]) -> bool:
    """Whether there may be more."""
    until = perf_counter() + TURN_SECONDS
    return any(perf_counter() > until for _ in steps)
