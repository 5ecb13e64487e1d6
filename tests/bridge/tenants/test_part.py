"""The tenants of a process before anyone comes, and what is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.part import Tenants
from bridge.tenants.stored_state import write_state
from bridge.tenants.tenant import Tenant, TenantState
from tests.bridge.assembled import numbers
from tests.bridge.broker.parts import unheard_broker

CONFIGURED = {"acme": Tenant("acme", stage="drain", share=25), "other": Tenant("other", stage="v3", share=25)}


@pytest.fixture
async def tenants(redis_url: str, prefix: str) -> AsyncIterator[Tenants]:
    broker = unheard_broker(redis_url, prefix)
    async with broker.redis:
        yield Tenants(broker, CONFIGURED, tuple)


async def test_the_stage_of_each_tenant_is_one_and_the_others_are_nought(tenants: Tenants) -> None:
    stages = {key[1:]: number for key, number in numbers(tenants).items() if key[0] == "bridge_tenant_stage"}
    assert {where for where, number in stages.items() if number} == {("acme", "drain"), ("other", "v3")}
    assert len(stages) == 8
    assert set(stages.values()) == {0, 1}


async def test_the_share_is_that_of_a_tenant_in_drain_alone(tenants: Tenants) -> None:
    told = numbers(tenants)
    assert told["bridge_tenant_share_percent", "acme"] == 25
    assert told["bridge_tenant_share_percent", "other"] == 0


async def test_a_start_ends_when_every_tenant_in_redis_is_known(
    tenants: Tenants, redis: Redis, addresses: Addresses
) -> None:
    names = {f"tenant-{number}" for number in range(250)}
    for name in names:
        await write_state(redis, addresses, name, TenantState(version=1, share=5))
    await tenants.start()
    assert {tenant.name for tenant in tenants.table.all()} == names | set(CONFIGURED)


async def test_the_table_and_the_watch_over_change_logs_go_on_by_themselves(tenants: Tenants) -> None:
    assert list(tenants.tasks()) == [tenants.table, tenants.change_log_check]
