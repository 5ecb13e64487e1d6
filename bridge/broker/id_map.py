"""A tenant's id map in Redis, replaced whole and at once: whoever reads meanwhile sees the old one or the new one.

It never decides whether a map is sound: `compat.identity` does. A running bridge looks every second and obeys.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import WatchError

from bridge.aside import aside
from bridge.broker.addresses import Addresses
from bridge.broker.stored_map import prepare_map, put_in_place, read_map

ATTEMPTS: Final = 10


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
    name = addresses.id_map(tenant)
    async with redis.pipeline(transaction=True) as pipeline:
        await pipeline.watch(addresses.tenants, addresses.tenant(tenant), name)
        version = await _version(pipeline, addresses, tenant) + 1
        replacement = await aside(_compare, version, await read_map(pipeline, name), id_map)
        if not replacement.is_empty and not dry_run:
            waiting = await prepare_map(pipeline, name, id_map)
            try:
                await _write(pipeline, addresses, tenant, waiting, version)
            except WatchError:
                await _forget(redis, waiting)
                raise
        return replacement


async def _version(pipeline: Pipeline, addresses: Addresses, tenant: str) -> int:
    """The tenant's version now: the later one, should the two places that hold it disagree."""
    versions: list[Any] = [
        await pipeline.hget(addresses.tenant(tenant), "version"),
        await pipeline.hget(addresses.tenants, tenant),
    ]
    return max((int(version) for version in versions if version is not None and version.isdigit()), default=0)


async def _forget(redis: Redis, waiting: str) -> None:
    if waiting:
        await redis.unlink(waiting)


async def _write(pipeline: Pipeline, addresses: Addresses, tenant: str, waiting: str, version: int) -> None:
    pipeline.multi()  # type: ignore[no-untyped-call]
    put_in_place(pipeline, addresses.id_map(tenant), waiting)
    pipeline.hset(addresses.tenant(tenant), mapping={"version": version, "ids_version": version})
    pipeline.hset(addresses.tenants, tenant, version)
    await pipeline.execute()


def _compare(version: int, before: Mapping[str, str], after: Mapping[str, str]) -> Replacement:
    return Replacement(
        version=version,
        added=frozenset(v2_id for v2_id in after if v2_id not in before),
        removed=frozenset(v2_id for v2_id in before if v2_id not in after),
        changed=frozenset(v2_id for v2_id in after if before.get(v2_id, after[v2_id]) != after[v2_id]),
    )
