"""Counts and logs data under our names in Redis that the bridge cannot have written; the reader skips it.

It is counted by what it should have been. The log writes at most one line a second for one event. The content is never
logged: it belongs to another program.
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
"""What it should have been -> how often, in this process."""


def skip(what: str) -> None:
    """Count one value that cannot be read. `what` is one of `WHAT`."""
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
