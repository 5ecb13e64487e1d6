"""A tenant's id map in Redis, replaced whole and at once: whoever reads meanwhile sees the old one or the new one.

It never decides whether a map is sound: `compat.identity` does. A running bridge looks every second and obeys.
"""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import WatchError

from bridge.broker.addresses import Addresses
from bridge.system.background import aside
from bridge.tenants.stored_map import prepare_map, put_in_place, read_map

ATTEMPTS: Final = 10
_VERSION: Final = re.compile(rb"[0-9]{1,15}")


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

    What was there before is compared with, not held fast: that would take as long as many others need for a change.
    `WatchError` only when somebody else changed a tenant `ATTEMPTS` times in the moment of the replacement.
    """
    stored = await read_map(redis, addresses.id_map(tenant))
    replacement = await aside(_compare, stored, id_map)
    if replacement.is_empty or dry_run:
        return replace(replacement, version=await _version(redis, addresses, tenant) + 1)
    waiting = await prepare_map(redis, addresses.id_map(tenant), id_map)
    try:
        return replace(replacement, version=await _put_in_place(redis, addresses, tenant, waiting))
    finally:
        if waiting:
            await redis.unlink(waiting)


async def _put_in_place(redis: Redis, addresses: Addresses, tenant: str, waiting: str) -> int:
    """The tenant's new version."""
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
    """The tenant's version now: the later one, should the two places that hold it disagree."""
    versions: list[Any] = [
        await redis.hget(addresses.tenant(tenant), "version"),
        await redis.hget(addresses.tenants, tenant),
    ]
    return max((int(version) for version in versions if _VERSION.fullmatch(version or b"")), default=0)


def _compare(before: Mapping[str, str], after: Mapping[str, str]) -> Replacement:
    """Yet without a version."""
    return Replacement(
        version=0,
        added=frozenset(v2_id for v2_id in after if v2_id not in before),
        removed=frozenset(v2_id for v2_id in before if v2_id not in after),
        changed=frozenset(v2_id for v2_id in after if before.get(v2_id, after[v2_id]) != after[v2_id]),
    )
