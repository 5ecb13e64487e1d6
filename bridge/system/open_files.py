"""How many files this process may have open; each socket is one. It opens no file and reserves none."""

import contextlib
import resource
from typing import Final

MOST: Final = 1_048_576
"""Returned instead of "no limit"."""
LEAST: Final = 128
"""With fewer a bridge does not start: it needs half of them itself, and the rest would not be enough for clients."""


def limits() -> tuple[int, int]:
    """`(soft, hard)`: how many files may be open now, and up to how many the process may raise that itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _counted(soft), _counted(hard)


def allow_most() -> None:
    """Raise the soft limit to the hard limit, if the system allows it."""
    soft, hard = limits()
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _counted(limit: int) -> int:
    return MOST if limit == resource.RLIM_INFINITY else min(limit, MOST)
