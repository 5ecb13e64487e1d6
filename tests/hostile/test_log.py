"""A log that nobody reads: it keeps nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.conftest import StartRedis
from tests.end_to_end.clients import ANSWER_SECONDS, client, v3_path
from tests.end_to_end.configuration import with_key
from tests.forking import Forked
from tests.hostile.bridges import Attacked, running
from tests.hostile.configuration import CONFIG
from tests.servers import RedisServer

TWIN_SECONDS = 2
"""Whoever waits for a full pipe waits for ever."""


class Unread(Attacked):
    """Its log goes into a pipe."""

    pipe: int

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes] | Forked:
        self.pipe, end = os.pipe()
        with os.fdopen(end, "wb") as log_in_pipe:
            return super().begin(log_in_pipe)

    def fill_pipe(self) -> None:
        """To its last byte; for the process it stays a pipe that waits."""
        end = os.open(f"/proc/self/fd/{self.pipe}", os.O_WRONLY | os.O_NONBLOCK)
        for size in (4_096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(end, b"." * size)
        os.close(end)


@contextlib.contextmanager
def unread(redis: RedisServer, directory: Path, without: str | None = None) -> Iterator[Unread]:
    bridge = Unread(directory, "--redis", redis.url, config=CONFIG, environment={})
    bridge.without = without
    try:
        with running(bridge):
            yield bridge
    finally:
        os.close(bridge.pipe)


async def what_is_logged_keeps_nobody_waiting(bridge: Unread, redis: RedisServer, patience_seconds: float) -> None:
    """A link that is lost is logged. Everyone hears a GAP once there is another."""
    async with client(bridge, v3_path("home", "ann", with_key("victim"))) as ann:
        bridge.fill_pipe()
        redis.execute("CLIENT", "KILL", "TYPE", "pubsub")
        try:
            async with asyncio.timeout(patience_seconds):
                assert (await ann.hear())["cmd"] == "GAP"
                assert await ann.is_served()
        except TimeoutError:
            bridge.kill()  # it would not even say goodbye
            raise


@pytest.mark.alone
async def test_a_log_that_nobody_reads_keeps_nobody_waiting(redis_server: StartRedis, tmp_path: Path) -> None:
    redis = redis_server()
    with unread(redis, tmp_path / "bridge") as bridge:
        await what_is_logged_keeps_nobody_waiting(bridge, redis, ANSWER_SECONDS)


async def test_where_it_is_written_by_whoever_logs_everybody_waits(redis_server: StartRedis, tmp_path: Path) -> None:
    redis = redis_server()
    with unread(redis, tmp_path / "bridge", without="log of its own thread") as bridge, pytest.raises(TimeoutError):
        await what_is_logged_keeps_nobody_waiting(bridge, redis, TWIN_SECONDS)
