"""Changes a tenant's id map in Redis, whole and atomically: a reader sees the old map or the new one, never a mix.

The map before the last change is kept beside it, so that the change can be taken back, once. Each change is in the
tenant's record. A running bridge looks for a new map every second.

The old map is compared, but not watched (WATCH) during the comparison: that takes so long that many changes by others
could come in between. If the map itself was changed meanwhile, all begins anew.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import WatchError

from bridge.broker.addresses import Addresses
from bridge.system.background import run_in_background
from bridge.tenants.change_log import Change, add_to_log, ids_changed
from bridge.tenants.stored_map import prepare_map, put_in_place, read_map
from bridge.tenants.tenant import Tenant
from bridge.tenants.versions import number

ATTEMPTS: Final = 10
IDS_VERSION: Final = "ids_version"
CAN_BE_TAKEN_BACK: Final = "ids_previous"

Wanted = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Makes the new map of the old one."""
Line = Callable[["Replacement"], Change]
"""Makes the line of the record, with the tenant's new version."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The V2 ids that a change adds, removes and changes. `version`: the tenant's after it; `size`: the map's."""

    version: int
    added: frozenset[str]
    removed: frozenset[str]
    changed: frozenset[str]
    size: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether both maps are equal."""
        return not (self.added or self.removed or self.changed)

    def __str__(self) -> str:
        return f"{len(self.added):,} added, {len(self.removed):,} removed, {len(self.changed):,} changed"


def line_of(tenant: Tenant, who: str, when: str, why: str) -> Line:
    """Makes the line of the record for a change of a tenant's map. `when` is ISO 8601."""
    return lambda done: ids_changed(tenant, done.version, who, when, f"ids: {done}" + (f": {why}" if why else ""))


class NothingToTakeBack(Exception):
    """No change of the map is left that could be taken back."""


async def replace_id_map(
    redis: Redis,
    addresses: Addresses,
    tenant: str,
    id_map: Mapping[str, str],
    *,
    line: Line | None = None,
    dry_run: bool = False,
) -> Replacement:
    """Replace the whole map, unless both are equal or this is a dry run. Return the differences."""
    return await change_id_map(redis, addresses, tenant, lambda _stored: id_map, line, dry_run=dry_run)


async def take_back_id_map(
    redis: Redis, addresses: Addresses, tenant: str, *, line: Line | None = None, dry_run: bool = False
) -> Replacement:
    """Put the map in place that was there before the last change; the next time, the other. Raises `NothingToTakeBack`.

    It is restored as it was, and not checked anew.
    """
    if not await redis.hexists(addresses.tenant(tenant), CAN_BE_TAKEN_BACK):
        raise NothingToTakeBack
    previous = await read_map(redis, addresses.previous_id_map(tenant))
    return await change_id_map(redis, addresses, tenant, lambda _stored: previous, line, dry_run=dry_run)


async def change_id_map(
    redis: Redis, addresses: Addresses, tenant: str, wanted: Wanted, line: Line | None, *, dry_run: bool
) -> Replacement:
    """Make the map that `wanted` returns for the stored one. Raises what `wanted` and redis-py raise.

    `WatchError` only if others changed the map, or the tenant during the last step, in each of `ATTEMPTS` attempts.
    """
    for _ in range(ATTEMPTS):
        seen = await redis.hget(addresses.tenant(tenant), IDS_VERSION)
        stored = await read_map(redis, addresses.id_map(tenant))
        id_map = await run_in_background(wanted, stored)
        found = await run_in_background(_compare, stored, id_map)
        if found.is_empty or dry_run:
            return replace(found, version=await _version(redis, addresses, tenant) + 1)
        with contextlib.suppress(_Overtaken):
            return await _write(redis, addresses, tenant, id_map, _Prepared("", seen, found, line))
    raise WatchError(f"the id map of {tenant} is changed by others all the time")


async def _write(
    redis: Redis, addresses: Addresses, tenant: str, id_map: Mapping[str, str], prepared: "_Prepared"
) -> Replacement:
    """Write the map beside the old one, and put it in place. Raises `_Overtaken`, and what redis-py raises."""
    waiting = await prepare_map(redis, addresses.id_map(tenant), id_map)
    try:
        return await _put_in_place(redis, addresses, tenant, prepared._replace(waiting=waiting))
    finally:
        if waiting:
            await redis.unlink(waiting)


class _Overtaken(Exception):
    """The map was changed by somebody else after it was read."""


class _Prepared(NamedTuple):
    """A map that is in Redis as the hash `waiting`. `seen`: the version of the map that it was made for."""

    waiting: str
    seen: Any
    found: Replacement
    line: Line | None


async def _put_in_place(redis: Redis, addresses: Addresses, tenant: str, prepared: _Prepared) -> Replacement:
    """Put the prepared map in place, in at most `ATTEMPTS` attempts. Return it with the tenant's new version."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(WatchError):
            return await _put_once(redis, addresses, tenant, prepared)
    return await _put_once(redis, addresses, tenant, prepared)


async def _put_once(redis: Redis, addresses: Addresses, tenant: str, prepared: _Prepared) -> Replacement:
    async with redis.pipeline(transaction=True) as pipeline:
        await pipeline.watch(addresses.tenants, addresses.tenant(tenant))
        if await pipeline.hget(addresses.tenant(tenant), IDS_VERSION) != prepared.seen:
            raise _Overtaken
        done = replace(prepared.found, version=await _version(pipeline, addresses, tenant) + 1)
        is_first = not await pipeline.exists(addresses.id_map(tenant))
        pipeline.multi()  # type: ignore[no-untyped-call]
        previous = addresses.previous_id_map(tenant)
        put_in_place(pipeline, previous, "" if is_first else addresses.id_map(tenant))
        put_in_place(pipeline, addresses.id_map(tenant), prepared.waiting)
        pipeline.hset(
            addresses.tenant(tenant),
            mapping={"version": done.version, IDS_VERSION: done.version, CAN_BE_TAKEN_BACK: 1},
        )
        pipeline.hset(addresses.tenants, tenant, done.version)
        if prepared.line is not None:
            add_to_log(pipeline, addresses, prepared.line(done))
        await pipeline.execute()
    return done


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
        size=len(after),
    )
