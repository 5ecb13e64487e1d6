"""Redis fails in every way: sockets stay, senders are told, listeners hear again, and nothing is heard twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import eventually
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.end_to_end.talk import Talk, talk, talking
from tests.servers import BridgeProcess

CONFIG = QUIET + UNHURRIED
BACK_SECONDS = 2.0
PRESENCE_SECONDS = 20.0


async def members_known_to(bridge: BridgeProcess) -> set[str]:
    """The client ids that presence answers for the group; empty where Redis is away."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{bridge.url}/v3/presence/group/talk")
        return {member["client_id"] for member in answer.json()["members"]} if answer.status_code == 200 else set()


async def presence_is_whole(bridges: Sequence[BridgeProcess], conversation: Talk) -> None:
    names = {member.name for member in conversation.members}

    async def whole() -> bool:
        return all([await members_known_to(bridge) == names for bridge in bridges])

    await eventually(whole, PRESENCE_SECONDS)


def holds(conversation: Talk) -> None:
    """What must hold after every fault: nobody was closed, nothing doubled or shuffled, and no loss kept quiet."""
    assert [member.closed for member in conversation.members if member.closed] == []
    assert conversation.nothing_is_doubled_or_shuffled()
    assert [member.name for member in conversation.members_who_missed() if not member.gaps] == []


async def test_twenty_killed_subscriptions_under_load_are_back_at_once(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    async with talk(bridges, v3=6, v2=4) as conversation:
        talkers = conversation.members[1:8:2]
        async with talking(conversation, talkers):
            for _ in range(20):
                await asyncio.to_thread(redis.execute, "CLIENT", "KILL", "TYPE", "pubsub")
                await conversation.until_all_hear(conversation.members[0], BACK_SECONDS)
        await conversation.until_all_hear(conversation.members[0], BACK_SECONDS)
        holds(conversation)
        assert conversation.members_who_missed() == []


async def test_a_redis_that_comes_back_empty_is_used_again_at_once(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    async with talk(bridges, v3=4, v2=2) as conversation:
        first = conversation.members[0]
        await conversation.until_all_hear(first, BACK_SECONDS)
        await asyncio.to_thread(redis.kill)
        await conversation.say_next(first)
        await first.until(lambda member: "bus_down" in member.refusals, BACK_SECONDS)
        await asyncio.sleep(1)  # so long Redis is away
        await asyncio.to_thread(redis.start)
        await conversation.until_all_hear(first, BACK_SECONDS)
        await presence_is_whole(bridges, conversation)
        holds(conversation)
        assert min(member.gaps for member in conversation.members) >= 1


async def test_a_frozen_redis_is_noticed_and_nothing_is_said_twice_when_it_thaws(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    async with talk(bridges, v3=4, v2=2) as conversation:
        first, second = conversation.members[0], conversation.members[4]
        await conversation.until_all_hear(first, BACK_SECONDS)
        redis.freeze()
        frozen_at = time.monotonic()
        await conversation.say_next(first)
        await conversation.say_next(second)
        for member in (first, second):
            await member.until(lambda one: "bus_down" in one.refusals, BACK_SECONDS)
        async with talking(conversation, [first, second]):
            await asyncio.sleep(max(0.0, 7 - (time.monotonic() - frozen_at)))  # so long Redis is frozen
        redis.thaw()
        await conversation.until_all_hear(first, BACK_SECONDS)
        await presence_is_whole(bridges, conversation)
        holds(conversation)


async def test_what_a_flushed_redis_has_forgotten_is_written_again(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    bridges = [bridge(config=CONFIG, redis=redis.url) for _ in range(2)]
    async with talk(bridges, v3=3, v2=2) as conversation:
        await presence_is_whole(bridges, conversation)
        await asyncio.to_thread(redis.execute, "FLUSHALL")
        await presence_is_whole(bridges, conversation)
        await conversation.until_all_hear(conversation.members[0], BACK_SECONDS)
        holds(conversation)
