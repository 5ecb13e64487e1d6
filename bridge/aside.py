"""Long work beside the event loop: in one thread, one piece after the other, which gives way to the loop all the time.

For work of Python's own steps alone: a single call into C that takes long holds everybody up, wherever it is made.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

GIVE_WAY_SECONDS: Final = 0.0005
"""So long the loop waits for the interpreter while the thread has it; Python's own 5 ms would be felt by everyone."""

P = ParamSpec("P")
T = TypeVar("T")

_thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")


async def aside(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `call` returns or raises."""
    sys.setswitchinterval(GIVE_WAY_SECONDS)
    return await asyncio.get_running_loop().run_in_executor(_thread, lambda: call(*arguments, **named))
