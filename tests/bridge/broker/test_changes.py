"""Changes of a tenant, on a real Redis: once, by version, with their record."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.changes import Change, Stale, Standing, back, make, newest, step_back
from bridge.broker.tenant_table import read_state
from bridge.tenants import Tenant

BRIDGE, HALF, V3 = Standing("bridge", 0, "global"), Standing("drain", 50, "global"), Standing("v3", 50, "group")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def addresses(prefix: str) -> Addresses:
    return Addresses(prefix)


def step(version: int, before: Standing, after: Standing) -> Change:
    return Change("acme", version, "ann", "2026-01-01T00:00:00.000000Z", before, after, "because")


async def test_a_change_is_written_and_recorded_with_the_next_version(redis: Redis, addresses: Addresses) -> None:
    made = await make(redis, addresses, step(0, BRIDGE, HALF))
    assert made.version == 1
    state = await read_state(redis, addresses, "acme")
    assert (state.version, state.stage, state.share, state.v2_routing) == (1, "drain", 50, "global")
    assert await redis.hgetall(addresses.tenants) == {b"acme": b"1"}
    assert await newest(redis, addresses, "acme") == [made]


async def test_a_change_that_saw_an_older_version_is_not_made(redis: Redis, addresses: Addresses) -> None:
    await make(redis, addresses, step(0, BRIDGE, HALF))
    with pytest.raises(Stale) as stale:
        await make(redis, addresses, step(0, BRIDGE, V3))
    assert stale.value.version == 1
    assert (await read_state(redis, addresses, "acme")).stage == "drain"
    assert len(await newest(redis, addresses, "acme")) == 1


async def test_the_record_of_one_tenant_is_found_among_many(redis: Redis, addresses: Addresses) -> None:
    mine = [await make(redis, addresses, step(0, BRIDGE, HALF))]
    for number in range(2_100):
        await redis.xadd(addresses.changes, {"tenant": "other", "version": number, "change": "{}"})
    mine.insert(0, await make(redis, addresses, step(1, HALF, V3)))
    assert await newest(redis, addresses, "acme") == mine
    assert await newest(redis, addresses, "acme", 1) == mine[:1]


def test_rollbacks_go_back_step_by_step() -> None:
    tenant = Tenant("acme", stage="v3", share=50, v2_routing="group", version=2)
    first, second = step(1, BRIDGE, HALF), step(2, HALF, V3)
    undone = back(tenant, second, "ann", "", "")
    assert (undone.before, undone.after, undone.rolls_back, undone.why) == (V3, HALF, 2, "takes back version 2")
    assert step_back([second, first]) == second
    assert step_back([undone, second, first]) == first
    assert step_back([back(tenant, first, "ann", "", ""), undone, second, first]) is None
    assert step_back([]) is None


def test_a_standing_says_itself() -> None:
    assert [str(standing) for standing in (BRIDGE, HALF, V3)] == ["bridge", "drain 50 %", "v3, V2 by group"]
