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

from tests.conftest import AUTHORITIES, StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import HANDSHAKE, request
from tests.hostile.bridges import Attacked
from tests.servers import BridgeProcess, RedisServer

PAUSE_SECONDS = 0.2
ELSEWHERE = "127.0.0.2"
"""Where those come from who are to get in: at the strangers' own address they would soon have waited longest."""
CROWDS = {
    "idle": (1_024, 1_500, b""),
    "half a head": (1_024, 1_500, request(v3_path("g", "x"), HANDSHAKE)[:-2]),
    "half a body": (1_024, 1_500, request("/v3/messages", {"Host": "x", "Content-Length": "10"}, "POST") + b"{"),
    "unread answers": (256, 300, request("/client/aether.js", {"Host": "x"}) * 400),
    "refused handshakes": (256, 300, request("/nowhere", HANDSHAKE)),
}
"""Open files that a bridge may have, the sockets of strangers, and what they say on each."""


@pytest.fixture
def redis(redis_server: StartRedis) -> RedisServer:
    return redis_server()


@pytest.fixture
def few_files(tmp_path: Path, redis: RedisServer) -> Iterator[Attacked]:
    environment = {"BRIDGE_DATA_DIR": str(tmp_path / "data")}
    started = Attacked(tmp_path / "bridge", "--redis", redis.url, config=QUIET, environment=environment)
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
        """A part of them anew, again and again, until cancelled."""
        some = len(self._sockets) // 15
        while True:
            await self.come(some)
            for _ in range(some):
                self._sockets.popleft().close()
            await asyncio.sleep(PAUSE_SECONDS)

    def go(self) -> None:
        for one in self._sockets:
            one.close()


@asynccontextmanager
async def crowd(bridge: BridgeProcess, number: int, begun: bytes) -> AsyncIterator[Crowd]:
    crowd = Crowd(bridge.port, begun)
    await crowd.come(number)
    going_on = asyncio.create_task(crowd.go_on())
    try:
        yield crowd
    finally:
        going_on.cancel()
        await asyncio.gather(going_on, return_exceptions=True)
        crowd.go()


async def numbers(bridge: BridgeProcess) -> dict[str, float]:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(AUTHORITIES, local_address=ELSEWHERE)) as http:
        text = (await http.get(f"{bridge.url}/metrics")).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@pytest.mark.parametrize(("files", "number", "begun"), CROWDS.values(), ids=CROWDS)
async def test_strangers_shut_nobody_out_and_end_nothing(
    few_files: Attacked, redis: RedisServer, files: int, number: int, begun: bytes
) -> None:
    few_files.most_files = files
    few_files.start()
    async with client(few_files, v3_path("g", "here")) as here, crowd(few_files, number, begun):
        for newcomers in range(5):
            async with client(few_files, v3_path("g", f"newcomer{newcomers}"), address=ELSEWHERE) as newcomer:
                assert await newcomer.is_served()
            assert await here.is_served()
        redis.execute("CLIENT", "KILL", "TYPE", "normal")
        redis.execute("CLIENT", "KILL", "TYPE", "pubsub")

        async def is_back() -> bool:
            now = await numbers(few_files)
            return now["bridge_bus_up"] == now["bridge_subscriber_up"] == 1

        await eventually(is_back, 20)
        now = await numbers(few_files)
        assert now["process_open_fds"] < files
        assert now['bridge_sockets{kind="stranger"}'] + now['bridge_sockets{kind="vouched_for"}'] <= files - 64
        async with client(few_files, v3_path("g", "last"), address=ELSEWHERE) as last:
            assert await last.is_served()
    assert "redis_unreachable" not in few_files.log
    assert few_files.log.count('"level": "') < 20
