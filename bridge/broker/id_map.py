"""A tenant's id map in Redis, replaced whole and at once: whoever reads meanwhile sees the old one or the new one.

It never decides whether a map is sound: `compat.identity` does. A running bridge looks every second and obeys.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import WatchError

from bridge.broker.addresses import Addresses

ATTEMPTS: Final = 10
FIELDS_PER_COMMAND: Final = 5_000


@dataclass(frozen=True, slots=True)
class Replacement:
    """V2 ids by what became of them; `version` is the tenant's from now on."""

    version: int
    added: frozenset[str]
    removed: frozenset[str]
    changed: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """Whether both maps are the same."""
        return not (self.added or self.removed or self.changed)


async def replace_id_map(
    redis: Redis, addresses: Addresses, tenant: str, id_map: Mapping[str, str], *, dry_run: bool = False
) -> Replacement:
    """Replace the map, unless it is the same or this is a dry run. Raises what redis-py raises.

    `WatchError` only when somebody else changed the tenant `ATTEMPTS` times meanwhile.
    """
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(WatchError):
            return await _replace_once(redis, addresses, tenant, id_map, dry_run=dry_run)
    return await _replace_once(redis, addresses, tenant, id_map, dry_run=dry_run)


async def _replace_once(
    redis: Redis, addresses: Addresses, tenant: str, id_map: Mapping[str, str], *, dry_run: bool
) -> Replacement:
    async with redis.pipeline(transaction=True) as pipeline:
        await pipeline.watch(addresses.tenants, addresses.tenant(tenant), addresses.id_map(tenant))
        replacement = await _compare_with_stored(pipeline, addresses, tenant, id_map)
        if not replacement.is_empty and not dry_run:
            await _write(pipeline, addresses, tenant, id_map, replacement.version)
        return replacement


async def _compare_with_stored(
    pipeline: Pipeline, addresses: Addresses, tenant: str, id_map: Mapping[str, str]
) -> Replacement:
    stored: Mapping[bytes, bytes] = await pipeline.hgetall(addresses.id_map(tenant))  # type: ignore[assignment]
    before = {v2_id.decode(errors="replace"): name.decode(errors="replace") for v2_id, name in stored.items()}
    return _compare(await _version(pipeline, addresses, tenant) + 1, before, id_map)


async def _version(pipeline: Pipeline, addresses: Addresses, tenant: str) -> int:
    """The tenant's version now: the later one, should the two places that hold it disagree."""
    versions: list[Any] = [
        await pipeline.hget(addresses.tenant(tenant), "version"),
        await pipeline.hget(addresses.tenants, tenant),
    ]
    return max((int(version) for version in versions if version is not None and version.isdigit()), default=0)


async def _write(
    pipeline: Pipeline, addresses: Addresses, tenant: str, id_map: Mapping[str, str], version: int
) -> None:
    pipeline.multi()  # type: ignore[no-untyped-call]
    pipeline.delete(addresses.id_map(tenant))
    fields = iter(id_map.items())
    while chunk := dict(islice(fields, FIELDS_PER_COMMAND)):
        pipeline.hset(addresses.id_map(tenant), mapping=cast(Any, chunk))
    pipeline.hset(addresses.tenant(tenant), "version", version)
    pipeline.hset(addresses.tenants, tenant, version)
    await pipeline.execute()


def _compare(version: int, before: Mapping[str, str], after: Mapping[str, str]) -> Replacement:
    both = before.keys() & after.keys()
    return Replacement(
        version=version,
        added=frozenset(after.keys() - before.keys()),
        removed=frozenset(before.keys() - after.keys()),
        changed=frozenset(v2_id for v2_id in both if before[v2_id] != after[v2_id]),
    )
