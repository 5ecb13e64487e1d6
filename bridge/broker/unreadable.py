"""What stands in Redis under our names and is none of ours: whoever meets it goes on without it, and says so here.

It costs only itself. It is counted by what it should have been, and logged by the event, of which the log has one line
a second at most. Never by its content: that is somebody else's.
"""

from collections import Counter
from typing import Final

import structlog

WHAT: Final = ("process", "group", "holder", "headcount")

log = structlog.get_logger(__name__)

skipped: Final[Counter[str]] = Counter()
"""How often, in this process, by what it should have been."""


def skip(what: str) -> None:
    """One thing more that cannot be read."""
    skipped[what] += 1
    log.warning("unreadable_in_redis", what=what)
