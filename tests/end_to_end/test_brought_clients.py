"""Clients that people bring, each a program of its own (`brought/`): everyone hears everyone, through two processes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.machine import java_program, node_program, npm_package, program
from tests.servers import BridgeProcess

pytestmark = pytest.mark.timeout(240)  # nine programs start at once

CONFIG = QUIET + "[tenants.acme]\n" + key("acme", "acme")
BROUGHT = Path(__file__).parent / "brought"
PATIENCE_SECONDS = 90.0
UPGRADES = "polling,websocket"
WEBSOCKET_ALONE = "websocket"


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge("--socketio", config=CONFIG) for _ in range(2)]


class Program:
    """One client: what it is told is a line, and what it says of what happens is one."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._lines: defaultdict[str, list[str]] = defaultdict(list)

    async def order(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def until(self, word: str) -> str:
        """The rest of the next line that begins with this word; other lines are kept for whoever asks for them."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self._lines[word]:
                line = (await self._process.stdout.readline()).decode()
                assert line, f"{self.name} ended, and never said {word!r}: {dict(self._lines)}"
                first, _, rest = line.strip().partition(" ")
                self._lines[first].append(rest)
        return self._lines[word].pop(0)

    async def say(self, text: str) -> None:
        await self.order(json.dumps({"msg_type": "msg", "target": "group", "msg": text}))

    async def hear(self, texts: set[str]) -> list[str]:
        """All that is heard until each of these has been."""
        heard: list[str] = []
        while not texts <= set(heard):
            heard.append(json.loads(await self.until("heard"))["msg"])
        return heard

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await self._process.wait() == 0, self.name


def commands() -> dict[str, Sequence[str | Path]]:
    """Name -> how it is started, without address, key and name."""
    node, scripts = node_program(), BROUGHT / "javascript.mjs"
    started: dict[str, Sequence[str | Path]] = {
        "java": [java_program(), BROUGHT / "Brought.java"],
        "python-sync": [sys.executable, BROUGHT / "python_sync.py"],
        "python-async": [sys.executable, BROUGHT / "python_async.py"],
    }
    for package in ("socket.io-client", "socket.io-client-3"):
        for transports in ("polling", WEBSOCKET_ALONE, UPGRADES):
            name = f"{package}-{transports}".replace(".", "-").replace(",", "-")
            started[name] = [node, scripts, npm_package(package), transports]
    return started


@asynccontextmanager
async def started(command: Sequence[str | Path], bridge: BridgeProcess, name: str) -> AsyncIterator[Program]:
    arguments = [*map(str, command), bridge.url, api_key("acme"), name]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, limit=2**20)
    try:
        yield Program(name, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_everyone_hears_everyone(bridges: list[BridgeProcess]) -> None:
    async with AsyncExitStack() as ends:
        programs = [
            await ends.enter_async_context(started(command, bridges[number % 2], name))
            for number, (name, command) in enumerate(commands().items())
        ]
        await asyncio.gather(*(one.until("ready") for one in programs))
        await asyncio.gather(*(one.say(f"from {one.name}") for one in programs))
        texts = {f"from {one.name}" for one in programs}
        for heard in await asyncio.gather(*(one.hear(texts) for one in programs)):
            assert sorted(heard) == sorted(texts)
        await asyncio.gather(*(one.end() for one in programs))


async def test_java_posts_with_an_offer_of_http2(bridges: list[BridgeProcess]) -> None:
    async with started([java_program(), BROUGHT / "Brought.java"], bridges[0], "java-posts") as java:
        await java.until("ready")
        await java.order('POST {"msg_type": "msg", "target": "group", "group_id": "team", "msg": "posted"}')
        assert await java.until("answered") == "202"
        assert await java.hear({"posted"}) == ["posted"]
        await java.end()


@pytest.mark.parametrize("offer", ["--http2", "--http1.1", "--http1.0"])
async def test_curl_posts_whatever_it_offers(bridges: list[BridgeProcess], offer: str) -> None:
    said = json.dumps({"msg_type": "msg", "target": "group", "group_id": "team", "msg": f"by curl {offer}"})
    arguments = ["--silent", offer, "--header", f"X-Api-Key: {api_key('acme')}", "--data", said]
    async with client(bridges[1], v3_path("team", "listener", with_key("acme"))) as listener:
        curl = await asyncio.create_subprocess_exec(
            *(program("curl"), *arguments, f"{bridges[0].url}/v3/messages"), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await curl.communicate()
        assert json.loads(out)["ok"] is True
        assert (await listener.hear())["msg"] == f"by curl {offer}"
