"""Sockets that strangers open: they are bounded, and what the bridge itself needs is kept for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.system.open_files import LEAST
from tests.conftest import StartRedis
from tests.end_to_end.clients import Client, client, v3_path
from tests.end_to_end.configuration import with_key
from tests.end_to_end.raw import raw_socket
from tests.hostile.bridges import Attacked, running
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import hear
from tests.servers import RedisServer

MOST_FILES = 600
KEPT_FILES = 32
IDLE = 700
UNBOUNDED = f"max_sockets = 100_000\nmax_sockets_per_address = 100_000\n{CONFIG}"
COME_BACK_SECONDS = 15
TWIN_SECONDS = 2
LOOKS_AT_REST = 10


async def idle(bridge: Attacked, ends: contextlib.AsyncExitStack) -> None:
    """A socket that says nothing, if there is one to be had."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await ends.enter_async_context(raw_socket(bridge))


async def idle_strangers_leave_some(bridge: Attacked) -> None:
    async with contextlib.AsyncExitStack() as ends:
        for _ in range(IDLE // 50):
            await asyncio.gather(*(idle(bridge, ends) for _ in range(50)))
        assert await files_at_rest(bridge) < (bridge.most_files or 0) - KEPT_FILES


async def files_at_rest(bridge: Attacked) -> int:
    """How many files are open once all that waited was accepted: nothing else tells when that is."""
    number, looks = -1, 0
    while looks < LOOKS_AT_REST:
        before, number = number, bridge.open_files
        looks = looks + 1 if number == before else 0
        await asyncio.sleep(0.02)
    return number


@pytest.mark.parametrize("most", [MOST_FILES, LEAST])
async def test_idle_strangers_leave_files_to_everybody_else(attacked: StartAttacked, most: int) -> None:
    await idle_strangers_leave_some(attacked(config=CONFIG, most_files=most))


async def test_where_sockets_have_no_bound_they_do_not(attacked: StartAttacked) -> None:
    bridge = attacked(config=UNBOUNDED, most_files=MOST_FILES)
    with pytest.raises(AssertionError):
        await idle_strangers_leave_some(bridge)


@contextlib.contextmanager
def bridge_of(redis: RedisServer, directory: Path, config: str, without: str | None = None) -> Iterator[Attacked]:
    """With a Redis of its own, which may go away."""
    bridge = Attacked(directory, "--redis", redis.url, config=config, environment={})
    bridge.most_files, bridge.without = MOST_FILES, without
    with running(bridge):
        yield bridge


async def links_find_a_file(bridge: Attacked, redis: RedisServer, patience_seconds: float) -> None:
    """Also while all that may be open is open, and every link must be made anew."""
    path = v3_path("home", "ann", with_key("victim"))
    async with client(bridge, path) as ann, contextlib.AsyncExitStack() as ends:
        redis.kill()
        for _ in range(2 * IDLE // 50):  # the second half takes what an attempt to reach Redis held and gave back
            await asyncio.gather(*(idle(bridge, ends) for _ in range(50)))
        await asyncio.to_thread(redis.start)
        async with asyncio.timeout(patience_seconds):
            while not await asyncio.to_thread(bridge.is_ready):
                assert bridge.is_running, bridge.log
        await is_heard(ann)


async def test_idle_strangers_take_no_file_that_a_redis_link_needs(redis_server: StartRedis, tmp_path: Path) -> None:
    redis = redis_server()
    with bridge_of(redis, tmp_path / "bridge", CONFIG) as bridge:
        await links_find_a_file(bridge, redis, COME_BACK_SECONDS)


async def test_where_sockets_have_no_bound_they_take_it(redis_server: StartRedis, tmp_path: Path) -> None:
    """For as long as they may be idle, which here is an hour."""
    redis = redis_server()
    with bridge_of(redis, tmp_path / "bridge", UNBOUNDED, without="request deadline") as bridge:
        with pytest.raises(TimeoutError):
            await links_find_a_file(bridge, redis, TWIN_SECONDS)
        bridge.kill()


async def is_heard(ann: Client) -> None:
    """What she says comes back by way of Redis, behind whatever she is told of the gap."""
    await ann.say({"msg_type": "msg", "target": "group", "msg": "still here"})
    while (await hear(ann)).get("msg") != "still here":
        pass
