"""What stands in Redis under our names and is none of ours: whoever meets it goes on without it, and says so here.

It costs only itself. It is counted by what it should have been, and logged by the event, of which the log has one line
a second at most. Never by its content: that is somebody else's.
"""

from collections import Counter
from collections.abc import Awaitable
from typing import Final, TypeVar, cast

import structlog
from redis.exceptions import ResponseError

WHAT: Final = ("process", "group", "holder", "headcount", "key")
"""A `key` is one under which something of another type stands."""

T = TypeVar("T")

log = structlog.get_logger(__name__)

skipped: Final[Counter[str]] = Counter()
"""How often, in this process, by what it should have been."""


def skip(what: str) -> None:
    """One thing more that cannot be read."""
    skipped[what] += 1
    log.warning("unreadable_in_redis", what=what)


async def answer_of(asked: object, nothing: T) -> T:
    """What Redis answers; `nothing` where something of another type stands under the key that was asked for.

    `asked` is what a method of redis-py's client returns. It is declared wider than what comes, which is of the type
    of `nothing`. Raises what redis-py raises for any other reason.
    """
    try:
        return await cast(Awaitable[T], asked)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
    skip("key")
    return nothing
