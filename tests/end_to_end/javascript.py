"""npm's `socket.io-client` under Node: many clients in one process, told what to do and heard line by line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.end_to_end.clients import ANSWER_SECONDS
from tests.end_to_end.socketio_clients import TRANSPORTS
from tests.machine import node_program, npm_package
from tests.servers import BridgeProcess

DRIVER = Path(__file__).with_name("socketio_client.mjs")
MOST_LINE_BYTES = 2**24


class Script:
    """One JavaScript client, in one namespace."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self.name = name
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._numbers = count()
        self._answers: dict[int, asyncio.Future[Any]] = {}

    def tell(self, event: str, said: Any) -> None:
        if event == "answer":
            self._answers.pop(said["number"]).set_result(said["answer"])
        elif event == "message":
            self._messages.put_nowait(said)
        else:
            self._events.put_nowait((event, said))

    async def next(self, *events: str) -> tuple[str, Any]:
        """The next of these events of its connection; others are passed over."""
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            while (found := await self._events.get())[0] not in events:
                pass
        return found

    async def until(self, event: str) -> Any:
        return (await self.next(event))[1]

    async def hear_anything(self) -> Any:
        """The next message."""
        return await asyncio.wait_for(self._messages.get(), 2 * ANSWER_SECONDS)

    async def say(self, said: Any) -> None:
        await self._node.order(do="say", name=self.name, said=said)

    async def ask(self, said: Any) -> Any:
        """Say it; the acknowledgement."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._node.order(do="say", name=self.name, said=said, number=number)
        return await asyncio.wait_for(answer, ANSWER_SECONDS)

    async def close(self) -> None:
        await self._node.order(do="close", name=self.name)


class Node:
    """The process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._scripts: dict[str, Script] = {}
        self._numbers = count()

    async def order(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()

    async def listen(self) -> None:
        """Hand what is printed to whom it concerns, until the process ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            self._scripts[told["name"]].tell(told["event"], told["said"])

    async def open(self, bridge: BridgeProcess, namespace: str, transports: str, **auth: Any) -> Script:
        """A client that begins to connect."""
        script = Script(self, f"script {next(self._numbers)}")
        self._scripts[script.name] = script
        options = {"transports": TRANSPORTS[transports], "auth": auth}
        await self.order(do="open", name=script.name, url=bridge.url + namespace, options=options)
        return script

    async def connected(self, bridge: BridgeProcess, namespace: str, transports: str, **auth: Any) -> Script:
        """A client that has connected, and has the transport that it was to have."""
        script = await self.open(bridge, namespace, transports, **auth)
        event, said = await script.next("connect", "connect_error")
        assert event == "connect", said
        expected = "polling" if transports == "polling" else "websocket"
        if said["transport"] != expected:
            assert await script.until("upgrade") == expected
        return script


@asynccontextmanager
async def node(package: str = "socket.io-client") -> AsyncIterator[Node]:
    """A process with npm's client; `socket.io-client-3` is its version before."""
    process = await asyncio.create_subprocess_exec(
        node_program(),
        str(DRIVER),
        str(npm_package(package)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MOST_LINE_BYTES,
    )
    running = Node(process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
