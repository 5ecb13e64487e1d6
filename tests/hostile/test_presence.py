"""Whoever asks again and again who is in a group is told what the last one was told, for a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from bridge.broker.presence_members import FRESH_SECONDS
from tests.conftest import StartRedis
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import UNHURRIED, api_key, with_key
from tests.hostile.attackers import TookMore
from tests.hostile.bridges import Attacked, running
from tests.hostile.configuration import CONFIG
from tests.hostile.victims import hear
from tests.servers import RedisServer

QUESTIONS = 200
MEMBERS = 20
AT_BOTH_ENDS = 4
"""Whoever comes and whoever goes asks, too; one is asked as the asking begins, and one may be under way as it ends."""
OTHERS = 2
"""The records of a bridge ask Redis now and then in the same words: less often than an answer is fresh."""


@contextmanager
def attacked_with(redis: RedisServer, home: Path, without: str | None = None) -> Iterator[Attacked]:
    """A bridge that has this Redis for itself."""
    bridge = Attacked(home, "--redis", redis.url, config=UNHURRIED + CONFIG, environment={})
    bridge.without = without
    with running(bridge):
        yield bridge


def times_asked(redis: RedisServer) -> int:
    """How often Redis was asked for everyone in a group; whoever comes or goes asks in these words, too."""
    stats = cast(dict[str, Any], redis.execute("INFO", "COMMANDSTATS"))
    return int(stats.get("cmdstat_zrangebylex", {}).get("calls", 0))


async def ask_by_echo(bridge: Attacked) -> None:
    async with client(bridge, v3_path("crowd", "rowdy", with_key("rowdy"))) as rowdy:
        for _ in range(QUESTIONS):
            await rowdy.say({"msg_type": "presence", "target": "echo"})
            while (await hear(rowdy)).get("msg_type") != "presence":
                pass


async def ask_by_request(bridge: Attacked) -> None:
    async with httpx.AsyncClient(base_url=bridge.url, headers={"X-API-Key": api_key("rowdy")}, timeout=60) as rowdy:
        for _ in range(QUESTIONS):
            (await rowdy.get("/v3/presence/group/crowd")).raise_for_status()


WAYS = {"echoes": ask_by_echo, "requests": ask_by_request}


async def redis_is_asked_now_and_then(bridge: Attacked, redis: RedisServer, way: str) -> None:
    async with AsyncExitStack() as crowd:
        for number in range(MEMBERS):
            await crowd.enter_async_context(client(bridge, v3_path("crowd", f"c{number}", with_key("rowdy"))))
        asked, began = times_asked(redis), time.monotonic()
        await WAYS[way](bridge)
        asked, seconds = times_asked(redis) - asked, time.monotonic() - began
    if asked > AT_BOTH_ENDS + OTHERS * seconds / FRESH_SECONDS:
        raise TookMore(f"{asked} times for {QUESTIONS} questions in {seconds:.2f} s")


@pytest.mark.parametrize("way", WAYS)
async def test_many_who_ask_at_once_are_one_question_to_redis(
    redis_server: StartRedis, tmp_path: Path, way: str
) -> None:
    redis = redis_server()
    with attacked_with(redis, tmp_path / "bridge") as bridge:
        await redis_is_asked_now_and_then(bridge, redis, way)


@pytest.mark.parametrize("way", WAYS)
async def test_where_no_answer_is_kept_each_is_a_question(redis_server: StartRedis, tmp_path: Path, way: str) -> None:
    redis = redis_server()
    with attacked_with(redis, tmp_path / "bridge", without="answers") as bridge, pytest.raises(TookMore):
        await redis_is_asked_now_and_then(bridge, redis, way)
