"""The hash of versions: asked for by name, or walked around a little at a time."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.versions import NAMES_PER_COMMAND, TenantVersions, number


@pytest.fixture
def versions(redis: Redis, addresses: Addresses) -> TenantVersions:
    return TenantVersions(redis, addresses)


async def test_those_that_are_asked_for_and_there_are_said(
    versions: TenantVersions, redis: Redis, addresses: Addresses
) -> None:
    names = {f"t{each}": each for each in range(2 * NAMES_PER_COMMAND + 1)}
    await redis.hset(addresses.tenants, mapping=names)  # type: ignore[arg-type]
    assert await versions.of([*names, "nobody"]) == names
    assert await versions.of([]) == {}


async def test_the_way_around_comes_by_everyone_a_few_at_a_time(
    versions: TenantVersions, redis: Redis, addresses: Addresses
) -> None:
    names = {f"t{each}": each for each in range(5_000)}
    await redis.hset(addresses.tenants, mapping={**names, "no name": 1, b"\xff": 1})  # type: ignore[dict-item]
    found, parts = await versions.next(), 1
    while not versions.is_around:
        part = await versions.next()
        assert len(part) < 2 * NAMES_PER_COMMAND
        found, parts = found | part, parts + 1
    assert found == names
    assert parts > 5
    assert await versions.count() == 5_002


async def test_something_of_another_type_makes_room(
    versions: TenantVersions, redis: Redis, addresses: Addresses
) -> None:
    for ask, nothing in ((lambda: versions.of(["acme"]), {}), (versions.next, {}), (versions.count, 0)):
        await redis.set(addresses.tenants, "spoiled")
        assert await ask() == nothing
        assert await redis.exists(addresses.tenants) == 0


@pytest.mark.parametrize(("said", "version"), [(b"12", 12), (b"soon", 0), (b"9" * 16, 0), ("٣".encode(), 0), (b"", 0)])
def test_what_is_no_number_is_none(said: bytes, version: int) -> None:
    assert number(said) == version
