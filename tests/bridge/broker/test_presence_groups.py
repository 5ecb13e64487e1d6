"""Which groups a process holds entries in, as Redis is told."""

from __future__ import annotations

from redis.asyncio import Redis

from bridge.broker.bus import Bus
from bridge.broker.presence_groups import GROUPS_PER_COMMAND, GroupsHeld
from tests.bridge.broker.parts import running_bus


async def members(redis_url: str, bus: Bus, key: str) -> set[str]:
    await bus.wait_until_answered()
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        return set(map(str, await redis.smembers(key)))


async def test_what_is_recorded_is_there_until_it_is_forgotten(redis_url: str, prefix: str) -> None:
    async with running_bus(redis_url) as bus:
        held = GroupsHeld(bus, prefix)
        held.record([("acme", str(number)) for number in range(GROUPS_PER_COMMAND + 1)])
        assert len(await members(redis_url, bus, prefix)) == GROUPS_PER_COMMAND + 1
        held.forget(("acme", "0"))
        assert "acme:0" not in await members(redis_url, bus, prefix)


async def test_a_key_of_another_type_makes_room_for_the_next_time(redis_url: str, prefix: str) -> None:
    async with running_bus(redis_url) as bus, Redis.from_url(redis_url) as redis:
        await redis.set(prefix, "something else")
        held = GroupsHeld(bus, prefix)
        held.record([("acme", "lobby")])
        await bus.wait_until_answered()
        await bus.wait_until_answered()
        held.record([("acme", "lobby")])
        assert await members(redis_url, bus, prefix) == {"acme:lobby"}
