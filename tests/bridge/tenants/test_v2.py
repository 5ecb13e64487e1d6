"""Ids that are added to a map that is there."""

import asyncio

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.id_map import replace_id_map
from bridge.tenants.stored_map import read_map
from bridge.tenants.v2 import Conflicts, add_to_id_map


async def test_two_who_add_at_once_lose_nothing(redis_url: str, addresses: Addresses) -> None:
    async with Redis.from_url(redis_url) as redis:
        await asyncio.gather(*(add_to_id_map(redis, addresses, "acme", {f"{n}": f"Xk{n}"}) for n in range(5)))
        assert await read_map(redis, addresses.id_map("acme")) == {f"{n}": f"Xk{n}" for n in range(5)}


async def test_what_is_in_conflict_is_not_added(redis_url: str, addresses: Addresses) -> None:
    async with Redis.from_url(redis_url) as redis:
        await replace_id_map(redis, addresses, "acme", {"1": "ann", "2": "ben"})
        with pytest.raises(Conflicts) as conflicts:
            await add_to_id_map(redis, addresses, "acme", {"1": "eve", "3": "ben", "ann": "Xk1", "4": "Xk4"})
        assert set(conflicts.value.sentences) == {"1", "3", "ann"}
        with pytest.raises(ValueError, match="no Vision ID"):
            await add_to_id_map(redis, addresses, "acme", {"5": "55"})
        assert await read_map(redis, addresses.id_map("acme")) == {"1": "ann", "2": "ben"}
