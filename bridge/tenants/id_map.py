"""Replaces a tenant's id map in Redis, whole and atomically: a reader sees the old map or the new one, never a mix.

It never decides whether a map is valid: `compat.identity` does. A running bridge looks for a new map every second.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import WatchError

from bridge.broker.addresses import Addresses
from bridge.system.background import run_in_background
from bridge.tenants.stored_map import prepare_map, put_in_place, read_map
from bridge.tenants.versions import number

ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class Replacement:
    """The V2 ids that a replacement adds, removes and changes. `version`: the tenant's version after it."""

    version: int
    added: frozenset[str]
    removed: frozenset[str]
    changed: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """Whether both maps are equal."""
        return not (self.added or self.removed or self.changed)


async def replace_id_map(
    redis: Redis, addresses: Addresses, tenant: str, id_map: Mapping[str, str], *, dry_run: bool = False
) -> Replacement:
    """Replace the map, unless both are equal or this is a dry run. Return the differences. Raises what redis-py raises.

    The old map is compared, but not watched (WATCH) during the comparison: that takes so long that many changes by
    others could come in between. `WatchError` only if others changed a tenant during the replacement itself, in each of
    `ATTEMPTS` attempts.
    """
    stored = await read_map(redis, addresses.id_map(tenant))
    replacement = await run_in_background(_compare, stored, id_map)
    if replacement.is_empty or dry_run:
        return replace(replacement, version=await _version(redis, addresses, tenant) + 1)
    waiting = await prepare_map(redis, addresses.id_map(tenant), id_map)
    try:
        return replace(replacement, version=await _put_in_place(redis, addresses, tenant, waiting))
    finally:
        if waiting:
            await redis.unlink(waiting)


async def _put_in_place(redis: Redis, addresses: Addresses, tenant: str, waiting: str) -> int:
    """Put the prepared map in place, in at most `ATTEMPTS` attempts. Return the tenant's new version."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(WatchError):
            return await _put_once(redis, addresses, tenant, waiting)
    return await _put_once(redis, addresses, tenant, waiting)


async def _put_once(redis: Redis, addresses: Addresses, tenant: str, waiting: str) -> int:
    async with redis.pipeline(transaction=True) as pipeline:
        await pipeline.watch(addresses.tenants, addresses.tenant(tenant))
        version = await _version(pipeline, addresses, tenant) + 1
        pipeline.multi()  # type: ignore[no-untyped-call]
        put_in_place(pipeline, addresses.id_map(tenant), waiting)
        pipeline.hset(addresses.tenant(tenant), mapping={"version": version, "ids_version": version})
        pipeline.hset(addresses.tenants, tenant, version)
        await pipeline.execute()
    return version


async def _version(redis: Any, addresses: Addresses, tenant: str) -> int:
    """The tenant's version now. Two keys hold it; if they differ, the higher one."""
    versions: list[Any] = [
        await redis.hget(addresses.tenant(tenant), "version"),
        await redis.hget(addresses.tenants, tenant),
    ]
    return max(number(version or b"") for version in versions)


def _compare(before: Mapping[str, str], after: Mapping[str, str]) -> Replacement:
    """The differences; `version` is still 0."""
    return Replacement(
        version=0,
        added=frozenset(v2_id for v2_id in after if v2_id not in before),
        removed=frozenset(v2_id for v2_id in before if v2_id not in after),
        changed=frozenset(v2_id for v2_id in after if before.get(v2_id, after[v2_id]) != after[v2_id]),
    )
