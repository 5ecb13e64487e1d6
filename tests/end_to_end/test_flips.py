"""A tenant is flipped under load: listeners never change their channels, so nothing is lost and nothing doubled."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.change_log import Change, make
from bridge.tenants.standing import Standing
from tests.conftest import StartBridge
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.end_to_end.talk import talk, talking

FLIPS = 50
STANDINGS = (
    Standing("bridge", 0, "group"),
    Standing("drain", 0, "global"),
    Standing("drain", 0, "group"),
    Standing("bridge", 0, "global"),
)


async def test_fifty_flips_of_routing_and_stage_under_load_lose_and_double_nothing(
    bridge: StartBridge, redis_url: str, prefix: str
) -> None:
    bridges = [bridge(config=QUIET + UNHURRIED) for _ in range(2)]
    async with talk(bridges, v3=4, v2=4) as conversation, Redis.from_url(redis_url) as redis:
        first = conversation.members[0]
        await conversation.until_all_hear(first, 5)
        async with talking(conversation, conversation.members[1:]):
            before = STANDINGS[-1]
            for version in range(FLIPS):
                after = STANDINGS[version % len(STANDINGS)]
                await make(redis, Addresses(prefix), Change("default", version, "ann", "", before, after, "load"))
                before = after
                await asyncio.sleep(0.1)  # ten flips a second
        await asyncio.gather(
            *(
                member.until_heard(talker.name, conversation.said[talker.name], 10)
                for member in conversation.members
                for talker in conversation.members[1:]
            )
        )
        assert conversation.nothing_is_doubled_or_shuffled()
        assert conversation.members_who_missed() == []
        assert [member.refusals for member in conversation.members if member.refusals] == []
        assert sum(conversation.said.values()) > 20 * FLIPS
