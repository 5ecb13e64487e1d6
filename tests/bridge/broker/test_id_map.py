"""An id map replaced in Redis while others write too."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import WatchError

from bridge.broker import id_map
from bridge.broker.addresses import Addresses
from bridge.broker.id_map import ATTEMPTS, Replacement, replace_id_map


@pytest.fixture
def addresses(prefix: str) -> Addresses:
    return Addresses(prefix)


@pytest.fixture
def disturbances(monkeypatch: pytest.MonkeyPatch, redis_url: str, addresses: Addresses) -> list[int]:
    """As many times as the list has entries, somebody else changes the tenant between our look and our write."""
    left: list[int] = []
    compare = id_map._compare

    def disturbed(version: int, before: dict[str, str], after: dict[str, str]) -> Replacement:
        if left:
            import redis

            with redis.Redis.from_url(redis_url) as other:
                other.hset(addresses.tenants, "acme", str(left.pop(0)))
        return compare(version, before, after)

    monkeypatch.setattr(id_map, "_compare", disturbed)
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
