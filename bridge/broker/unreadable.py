"""Counts and logs data under our names in Redis that the bridge cannot have written; the reader skips it.

It is counted by what it should have been. The log writes at most one line a second for one event. The content is never
logged: it belongs to another program.
"""

from collections import Counter
from typing import Final

import structlog

WHAT: Final = ("process", "group", "holder", "headcount")
"""What it should have been: the values of the metric's label."""

log = structlog.get_logger(__name__)

skipped: Final[Counter[str]] = Counter()
"""What it should have been -> how often, in this process."""


def skip(what: str) -> None:
    """Count one value that cannot be read. `what` is one of `WHAT`."""
    skipped[what] += 1
    log.warning("unreadable_in_redis", what=what)
