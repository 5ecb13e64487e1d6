"""An id map replaced in Redis while others write too."""

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import WatchError

from bridge.broker.addresses import Addresses
from bridge.tenants import id_map
from bridge.tenants.id_map import (
    ATTEMPTS,
    NothingToTakeBack,
    replace_id_map,
    take_back_id_map,
)
from bridge.tenants.stored_map import read_map


@pytest.fixture
def disturbances(monkeypatch: pytest.MonkeyPatch, redis_url: str, addresses: Addresses) -> list[int]:
    """As many times as the list has entries, somebody else changes the tenant between our look and our write."""
    left: list[int] = []
    version = id_map._version

    async def disturbed(redis: Any, addresses: Addresses, tenant: str) -> int:
        found = await version(redis, addresses, tenant)
        if left:
            async with Redis.from_url(redis_url) as other:
                await other.hset(addresses.tenants, "acme", str(left.pop(0)))
        return found

    monkeypatch.setattr(id_map, "_version", disturbed)
    return left


async def test_who_is_disturbed_looks_again(redis_url: str, addresses: Addresses, disturbances: list[int]) -> None:
    disturbances.extend([7, 8])
    async with Redis.from_url(redis_url) as redis:
        replacement = await replace_id_map(redis, addresses, "acme", {"42": "Xk3"})
        assert (replacement.version, replacement.added) == (9, frozenset({"42"}))
        assert await redis.hget(addresses.tenants, "acme") == b"9"


async def test_who_is_disturbed_again_and_again_gives_up(
    redis_url: str, addresses: Addresses, disturbances: list[int]
) -> None:
    disturbances.extend(range(ATTEMPTS))
    async with Redis.from_url(redis_url) as redis:
        with pytest.raises(WatchError):
            await replace_id_map(redis, addresses, "acme", {"42": "Xk3"})
        assert await redis.hgetall(addresses.id_map("acme")) == {}
        assert [each async for each in redis.scan_iter(f"{addresses.id_map('acme')}:new:*")] == []


async def test_a_large_map_is_replaced_by_another_and_by_none(redis_url: str, addresses: Addresses) -> None:
    ids = {f"{number}": f"Xk{number}" for number in range(3_500)}
    async with Redis.from_url(redis_url) as redis:
        assert len((await replace_id_map(redis, addresses, "acme", ids)).added) == 3_500
        assert await read_map(redis, addresses.id_map("acme")) == ids
        assert await redis.ttl(addresses.id_map("acme")) == -1
        fewer = {"1": "Xk1", "2": "Yk2"}
        done = await replace_id_map(redis, addresses, "acme", fewer)
        assert (len(done.removed), done.changed, done.version) == (3_498, frozenset({"2"}), 2)
        assert (await replace_id_map(redis, addresses, "acme", {})).removed == {"1", "2"}
        kept = addresses.previous_id_map("acme")
        assert await redis.keys(f"{addresses.id_map('acme')}*") == [kept.encode()]
        assert (await read_map(redis, kept), await redis.ttl(kept)) == (fewer, -1)


async def test_what_was_never_changed_is_not_taken_back(redis_url: str, addresses: Addresses) -> None:
    async with Redis.from_url(redis_url) as redis:
        with pytest.raises(NothingToTakeBack):
            await take_back_id_map(redis, addresses, "acme")


@pytest.mark.parametrize("version", [b"9" * 5_000, b"x", b"\xff", b"-1", b""])
async def test_a_version_that_is_none_is_the_first(redis_url: str, addresses: Addresses, version: bytes) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.hset(addresses.tenants, "acme", version)
        assert (await replace_id_map(redis, addresses, "acme", {"1": "ann"})).version == 1
