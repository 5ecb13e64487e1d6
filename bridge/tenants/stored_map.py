"""A hash of Redis with very many fields, read and written in pieces, so that neither Redis nor the loop stands still.

What is written becomes visible at once, by a rename that the caller puts into its transaction. It judges no field.
"""

import secrets
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, cast

from redis.asyncio.client import Pipeline

FIELDS_PER_COMMAND: Final = 1_000
ABANDONED_SECONDS: Final = 600
"""So long a map that nobody finished stays in Redis."""


async def read_map(redis: Any, name: str) -> dict[str, str]:
    """Every field. Of a map that is changed meanwhile some are old and some new. Raises what redis-py raises."""
    found: dict[str, str] = {}
    cursor = -1
    while cursor != 0:
        cursor, fields = await redis.hscan(name, max(cursor, 0), count=FIELDS_PER_COMMAND)
        found |= {key.decode(errors="replace"): value.decode(errors="replace") for key, value in fields.items()}
    return found


async def prepare_map(redis: Any, name: str, fields: Mapping[str, str]) -> str:
    """Write the fields beside the map; the name where they wait, empty where there are none."""
    waiting, rest = f"{name}:new:{secrets.token_hex(8)}" if fields else "", iter(fields.items())
    while some := dict(islice(rest, FIELDS_PER_COMMAND)):
        await redis.hset(waiting, mapping=cast(Any, some))
        await redis.expire(waiting, ABANDONED_SECONDS)
    return waiting


def put_in_place(pipeline: Pipeline, name: str, waiting: str) -> None:
    """In a transaction: what waits is the map from now on."""
    pipeline.unlink(name)
    if waiting:
        pipeline.persist(waiting)
        pipeline.rename(waiting, name)
