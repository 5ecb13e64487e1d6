"""Reads and writes a Redis hash with very many fields in pieces, so that it blocks neither Redis nor the event loop.

New fields become visible all at once, by a RENAME that the caller puts into its transaction. It checks no field.
"""

import secrets
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, cast

from redis.asyncio.client import Pipeline

FIELDS_PER_COMMAND: Final = 1_000
ABANDONED_SECONDS: Final = 600
"""How long an unfinished map stays in Redis."""


async def read_map(redis: Any, name: str) -> dict[str, str]:
    """All fields. If the hash is replaced meanwhile, some are old and some new. Raises what redis-py raises."""
    found: dict[str, str] = {}
    cursor = -1
    while cursor != 0:
        cursor, fields = await redis.hscan(name, max(cursor, 0), count=FIELDS_PER_COMMAND)
        found |= decoded(fields)
    return found


def decoded(fields: Mapping[Any, Any]) -> dict[str, str]:
    """The fields of a hash as text. Bytes that are not UTF-8 are replaced."""
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in fields.items()}


async def prepare_map(redis: Any, name: str, fields: Mapping[str, str]) -> str:
    """Write the fields into a temporary hash. Return its name, which is empty if there are no fields."""
    waiting, rest = f"{name}:new:{secrets.token_hex(8)}" if fields else "", iter(fields.items())
    while some := dict(islice(rest, FIELDS_PER_COMMAND)):
        await redis.hset(waiting, mapping=cast(Any, some))
        await redis.expire(waiting, ABANDONED_SECONDS)
    return waiting


def put_in_place(pipeline: Pipeline, name: str, waiting: str) -> None:
    """Queue the commands that replace the hash `name` by the temporary hash `waiting`; by no hash if that is empty."""
    pipeline.unlink(name)
    if waiting:
        pipeline.persist(waiting)
        pipeline.rename(waiting, name)
