"""How many files this process may have open: each socket is one. It opens none, and keeps none for anybody."""

import contextlib
import resource
from typing import Final

MOST: Final = 1_048_576
"""What stands for no limit at all."""
LEAST: Final = 128
"""With fewer a bridge does not start: half of them are its own, and the others would serve nobody."""


def limits() -> tuple[int, int]:
    """How many may be open now, and to how many the process may raise that by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _counted(soft), _counted(hard)


def allow_most() -> None:
    """As many as the system lets us have."""
    soft, hard = limits()
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _counted(limit: int) -> int:
    return MOST if limit == resource.RLIM_INFINITY else min(limit, MOST)
