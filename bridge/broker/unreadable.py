"""Counts and logs values under the bridge's own names in Redis that the bridge cannot have written; readers skip them.

A value is counted by what it should have been. The log writes at most one line a second for one event. The content is
never logged, because it belongs to another program.
"""

from collections import Counter
from collections.abc import Awaitable
from typing import Final, TypeVar, cast

import structlog
from redis.exceptions import ResponseError

WHAT: Final = ("process", "group", "holder", "headcount", "api_key", "history", "key")
"""What a value should have been. `key` means that a key holds a value of another Redis type."""

T = TypeVar("T")

log = structlog.get_logger(__name__)

skipped: Final[Counter[str]] = Counter()
"""One of `WHAT` -> how many such values this process has skipped."""


def skip(what: str, number: int = 1) -> None:
    """Count values that cannot be read. `what` is one of `WHAT`."""
    skipped[what] += number
    log.warning("unreadable_in_redis", what=what)


async def answer_of(asked: object, nothing: T) -> T:
    """Await a reply of Redis. If the key holds another type (WRONGTYPE), count and log that, and return `nothing`.

    `asked` is what a method of redis-py's client returns. Its declared type is wider than the reply, which has the type
    of `nothing`. Raises what redis-py raises for any other reason.
    """
    try:
        return await cast(Awaitable[T], asked)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
    skip("key")
    return nothing
