"""JOIN and LEAVE: the server says them to the group's V3 clients, whatever the newcomer speaks, and to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import ANSWER_SECONDS, Client, client, v3_path
from tests.end_to_end.configuration import with_key
from tests.end_to_end.people import CONFIG, MEMBERS
from tests.end_to_end.population import Member, Population, population
from tests.servers import BridgeProcess

KEY = with_key("wide-tenant")
AUDIENCE = {member for member in MEMBERS if (member.tenant, member.language, member.group) == ("wide", "v3", "team")}
NEWCOMERS = {"v3": v3_path("team", "zoe", KEY), "v2": f"/ws_redis/group/team/client/zoe?{KEY}"}
both_languages = pytest.mark.parametrize("protocol", NEWCOMERS)


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge(config=CONFIG), module_bridge(config=CONFIG)]


@pytest.fixture(scope="module")
async def everyone(
    anyio_backend: Any, bridges: list[BridgeProcess], redis_url: str, module_prefix: str
) -> AsyncIterator[Population]:
    async with population(bridges, MEMBERS, redis_url, module_prefix) as people:
        yield people


@pytest.fixture
async def witness(bridges: list[BridgeProcess]) -> AsyncIterator[Client]:
    """One more of the group, from which a test learns that an event has been said."""
    async with client(bridges[0], v3_path("team", "witness", KEY)) as one_more:
        yield one_more


async def event(witness: Client, cmd: str, client_id: str) -> dict[str, Any]:
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            heard = await witness.hear_anything()
            if (heard.get("cmd"), heard["from_id"]) == (cmd, client_id):
                return heard


async def those_who_heard(everyone: Population, cmd: str, client_id: str) -> dict[Member, int]:
    """How often each member heard of it. What else they hear (their own arrival) is none of this file's."""
    heard = {
        member: sum((frame["cmd"], frame["from_id"]) == (cmd, client_id) for frame in map(json.loads, texts))
        for member, texts in (await everyone.settled({})).items()
    }
    return {member: number for member, number in heard.items() if number}


@both_languages
async def test_join_and_leave_are_heard_once_by_v3_in_the_group(
    everyone: Population, bridges: list[BridgeProcess], witness: Client, protocol: str
) -> None:
    async with client(bridges[1], NEWCOMERS[protocol]):
        joined = await event(witness, "JOIN", "zoe")
        assert await those_who_heard(everyone, "JOIN", "zoe") == dict.fromkeys(AUDIENCE, 1)
    left = await event(witness, "LEAVE", "zoe")
    assert await those_who_heard(everyone, "LEAVE", "zoe") == dict.fromkeys(AUDIENCE, 1)
    for said in (joined, left):
        assert (said["msg_type"], said["target"], said["group_id"]) == ("presence", "group", "team")
        assert said["payload"] == {"client_id": "zoe", "protocol": protocol, "since": joined["payload"]["since"]}


@both_languages
async def test_another_connection_of_a_client_neither_joins_nor_leaves(
    everyone: Population, bridges: list[BridgeProcess], witness: Client, protocol: str
) -> None:
    async with AsyncExitStack() as tabs:
        await tabs.enter_async_context(client(bridges[1], NEWCOMERS[protocol]))
        await event(witness, "JOIN", "zoe")
        await everyone.settled({})
        async with client(bridges[0], NEWCOMERS["v3"]):
            pass
        await _said_after(witness, bridges[0])
        assert await those_who_heard(everyone, "JOIN", "zoe") == {}
        assert await those_who_heard(everyone, "LEAVE", "zoe") == {}
    await event(witness, "LEAVE", "zoe")


async def _said_after(witness: Client, bridge: BridgeProcess) -> None:
    """Whatever was to be said of `zoe` has been, since events of one group are said together."""
    async with client(bridge, v3_path("team", "later", KEY)):
        pass
    await event(witness, "LEAVE", "later")
