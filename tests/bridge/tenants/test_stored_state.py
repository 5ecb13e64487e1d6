"""A tenant as it stands in Redis: read whole, and written whole unless somebody knows a later version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.stored_state import Changing, read_state, write_state
from bridge.tenants.tenant import TenantState

STATE = TenantState(
    version=3,
    stage="drain",
    share=30,
    v2_routing="global",
    id_map={"42": "Xk3", "7": "Yl4"},
    guards=GuardRules(quiet_days=7),
)


async def test_what_is_written_is_read(redis: Redis, addresses: Addresses) -> None:
    assert await write_state(redis, addresses, "acme", STATE)
    assert await read_state(redis, addresses, "acme") == STATE


async def test_a_tenant_that_changes_while_it_is_read_is_not_told_half(
    redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_state(redis, addresses, "acme", STATE)
    scan = redis.hscan

    async def meanwhile(*arguments: Any, **options: Any) -> Any:
        await redis.hset(addresses.tenant("acme"), "version", 4)
        return await scan(*arguments, **options)

    monkeypatch.setattr(redis, "hscan", meanwhile)
    with pytest.raises(Changing):
        await read_state(redis, addresses, "acme")


async def test_a_state_is_not_written_over_a_later_one(redis: Redis, addresses: Addresses) -> None:
    await write_state(redis, addresses, "acme", STATE)
    assert not await write_state(redis, addresses, "acme", replace(STATE, version=2, stage="v3"))
    assert await read_state(redis, addresses, "acme") == STATE


async def test_a_state_is_not_written_while_somebody_else_writes(
    redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = redis.pipeline(transaction=True)
    execute = pipeline.execute

    async def meanwhile(*arguments: Any, **options: Any) -> Any:
        monkeypatch.undo()
        await write_state(redis, addresses, "beta", STATE)
        return await execute(*arguments, **options)

    monkeypatch.setattr(pipeline, "execute", meanwhile)
    monkeypatch.setattr(redis, "pipeline", lambda **_: pipeline)
    assert not await write_state(redis, addresses, "acme", STATE)
    assert await redis.hgetall(addresses.tenants) == {b"beta": b"3"}
