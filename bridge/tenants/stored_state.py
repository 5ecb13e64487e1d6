"""Reads and writes what Redis holds of one tenant, as a whole: stage, share and routing, its guards, and its id map.

It never overwrites a later version, and never decides what a stage means.
"""

from dataclasses import replace
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import WatchError

from bridge.broker.addresses import Addresses
from bridge.broker.unreadable import answer_of
from bridge.tenants.stored_map import decoded, prepare_map, put_in_place, read_map
from bridge.tenants.tenant import TenantState, state_in
from bridge.tenants.versions import number


class Changing(ValueError):
    """A tenant was changed while it was being read."""


async def read_state(redis: Redis, addresses: Addresses, name: str, known: TenantState | None = None) -> TenantState:
    """The state of a tenant in Redis. The id map is taken from `known` if it was not replaced since.

    Raises `Changing`, and what redis-py raises.
    """
    before = decoded(await redis.hgetall(addresses.tenant(name)))
    state = state_in(before, {})
    ids = addresses.id_map(name)
    is_known = known is not None and state.ids_version is not None and state.ids_version == known.ids_version
    if known is not None and is_known and await cast(Any, redis.hlen(ids)) == len(known.id_map):  # nor by hand
        return replace(state, id_map=known.id_map)
    id_map = await read_map(redis, ids)
    if decoded(await redis.hgetall(addresses.tenant(name))) != before:
        raise Changing("it is being changed")
    return replace(state, id_map=id_map)


async def write_state(redis: Redis, addresses: Addresses, name: str, state: TenantState) -> bool:
    """Write a tenant whole, in one transaction, unless Redis has a later version. Return whether it was written."""
    fields = cast(Any, state.fields())
    async with redis.pipeline(transaction=True) as pipeline:
        await pipeline.watch(addresses.tenants, addresses.tenant(name))
        later = await _version_held(pipeline, addresses, name)
        is_ours = later <= state.version
        waiting = await prepare_map(pipeline, addresses.id_map(name), state.id_map if is_ours else {})
        pipeline.multi()  # type: ignore[no-untyped-call]
        if is_ours:
            pipeline.unlink(addresses.tenant(name))
            pipeline.hset(addresses.tenant(name), mapping=fields)
            put_in_place(pipeline, addresses.id_map(name), waiting)
        pipeline.hset(addresses.tenants, name, max(later, state.version))  # so that the next look finds the tenant
        try:
            await pipeline.execute()
        except WatchError:
            return False  # a tenant was changed meanwhile: the next look finds which
    return is_ours


async def _version_held(pipeline: Pipeline, addresses: Addresses, name: str) -> int:
    """The latest version of a tenant in Redis. Two keys hold it: the hash of all versions can be lost by itself."""
    nothing: bytes | None = None
    of_all: bytes | None = await cast(Any, pipeline.hget(addresses.tenants, name))
    own = await answer_of(pipeline.hget(addresses.tenant(name), "version"), nothing)
    return max(number(version or b"") for version in (of_all, own))
