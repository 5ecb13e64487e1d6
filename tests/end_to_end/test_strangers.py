"""Strangers who open more sockets than there are files: whoever is here stays, whoever comes gets in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import HANDSHAKE, request
from tests.servers import BridgeProcess, RedisServer

FILES = 1_024
MANY = 1_500
AT_ONCE = 100
PAUSE_SECONDS = 0.2
BEGUN = {
    "idle": b"",
    "half a head": request(v3_path("g", "x"), HANDSHAKE)[:-2],
    "half a body": request("/v3/messages", {"Host": "x", "Content-Length": "10"}, "POST") + b"{",
    "unread answers": request("/client/aether.js", {"Host": "x"}) * 400,
    "refused handshakes": request("/nowhere", HANDSHAKE),
}


class FewFiles(BridgeProcess):
    """A bridge that may have so many files open, and no more."""

    def command(self) -> list[str]:
        return ["sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *super().command()]


@pytest.fixture
def redis(redis_server: StartRedis) -> RedisServer:
    return redis_server()


@pytest.fixture
def few_files(tmp_path: Path, redis: RedisServer) -> Iterator[BridgeProcess]:
    environment = {"BRIDGE_DATA_DIR": str(tmp_path / "data")}
    started = FewFiles(tmp_path / "bridge", "--redis", redis.url, config=QUIET, environment=environment)
    started.start()
    yield started
    started.close()


class Crowd:
    """Connections that read nothing, each with the same beginning; the oldest is renewed when another one comes."""

    def __init__(self, port: int, begun: bytes) -> None:
        self._port = port
        self._begun = begun
        self._sockets: deque[socket.socket] = deque()

    async def come(self, number: int) -> None:
        for _ in range(number):
            one = socket.socket()
            one.setblocking(False)
            self._sockets.append(one)
            with contextlib.suppress(OSError):  # it is shut out, which is its own affair
                await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", self._port))
                one.send(self._begun)

    async def go_on(self) -> None:
        """By the hundred, until cancelled."""
        while True:
            await self.come(AT_ONCE)
            for _ in range(AT_ONCE):
                self._sockets.popleft().close()
            await asyncio.sleep(PAUSE_SECONDS)

    def go(self) -> None:
        for one in self._sockets:
            one.close()


@asynccontextmanager
async def crowd(bridge: BridgeProcess, begun: bytes) -> AsyncIterator[Crowd]:
    crowd = Crowd(bridge.port, begun)
    await crowd.come(MANY)
    going_on = asyncio.create_task(crowd.go_on())
    try:
        yield crowd
    finally:
        going_on.cancel()
        await asyncio.gather(going_on, return_exceptions=True)
        crowd.go()


async def numbers(bridge: BridgeProcess) -> dict[str, float]:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{bridge.url}/metrics")).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
async def test_strangers_shut_nobody_out_and_end_nothing(
    few_files: BridgeProcess, redis: RedisServer, begun: bytes
) -> None:
    async with client(few_files, v3_path("g", "here")) as here, crowd(few_files, begun):
        for number in range(10):
            async with client(few_files, v3_path("g", f"newcomer{number}")) as newcomer:
                assert await newcomer.is_served()
            assert await here.is_served()
        redis.execute("CLIENT", "KILL", "TYPE", "normal")
        redis.execute("CLIENT", "KILL", "TYPE", "pubsub")

        async def is_back() -> bool:
            now = await numbers(few_files)
            return now["bridge_bus_up"] == now["bridge_subscriber_up"] == 1

        await eventually(is_back)
        now = await numbers(few_files)
        assert now["process_open_fds"] < FILES
        assert now['bridge_sockets{kind="stranger"}'] + now['bridge_sockets{kind="vouched_for"}'] <= FILES - 64
        async with client(few_files, v3_path("g", "last")) as last:
            assert await last.is_served()
    assert "redis_unreachable" not in few_files.log
    assert few_files.log.count('"level": "') < 20
