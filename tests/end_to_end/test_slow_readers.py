"""Slow means not draining: who takes a burst at its pace hears all of it; who reads nothing, or a trickle, goes."""

from __future__ import annotations

import asyncio
import socket

from tests.conftest import StartBridge
from tests.end_to_end.clients import ANSWER_SECONDS, client, v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import HANDSHAKE, request
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch

SECONDS = 4.0
CONFIG = QUIET + f"outbox_drain_bytes_per_second = {1_048_576 / SECONDS}\n"
MESSAGES, MESSAGE_BYTES = 40, 60_000
RECEIVE_BYTES = 32_768
HEALTHY_BYTES_PER_SECOND = 2_500_000  # 20 Mbit/s


class Reader:
    """A client that reads so many bytes a second, and whose kernel takes little in advance."""

    def __init__(self, bytes_per_second: int) -> None:
        self.read_bytes = 0
        self.is_ended = False
        self._bytes_per_second = bytes_per_second

    async def read(self, bridge: BridgeProcess, name: str, entered: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as handle:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            handle.setblocking(False)
            await loop.sock_connect(handle, ("127.0.0.1", bridge.port))
            await loop.sock_sendall(handle, request(v3_path("g", name), HANDSHAKE))
            await loop.sock_recv(handle, 4_096)
            entered.set()
            await self._read_on(handle)

    async def _read_on(self, handle: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while not self.is_ended:
            await asyncio.sleep(0.02)
            try:
                read = await loop.sock_recv(handle, self._bytes_per_second // 50)
            except ConnectionResetError:
                read = b""
            self.read_bytes += len(read)
            self.is_ended = not read


async def test_a_burst_is_heard_by_healthy_readers_and_ends_those_who_do_not_read(bridge: StartBridge) -> None:
    running = bridge(config=CONFIG)
    healthy, trickling, deaf = (Reader(HEALTHY_BYTES_PER_SECOND) for _ in range(4)), Reader(10_000), Reader(50)
    readers = {f"healthy-{number}": one for number, one in enumerate(healthy)} | {"trickle": trickling, "deaf": deaf}
    entered = [asyncio.Event() for _ in readers]
    reading = [
        asyncio.create_task(one.read(running, name, event))
        for (name, one), event in zip(readers.items(), entered, strict=True)
    ]
    await asyncio.gather(*(event.wait() for event in entered))
    async with client(running, v3_path("g", "speaker")) as speaker:
        for _ in range(MESSAGES):
            await speaker.say({"msg_type": "msg", "target": "group", "msg": "x" * MESSAGE_BYTES})
        for _ in range(MESSAGES):
            assert (await speaker.hear())["msg_type"] == "msg"
        stopwatch = Stopwatch()
        present = set(readers)
        while present & {"trickle", "deaf"} and stopwatch.least_seconds < ANSWER_SECONDS:
            await speaker.say({"msg_type": "presence", "target": "echo"})
            present = {member["client_id"] for member in (await speaker.hear())["payload"]["members"]}
            await asyncio.sleep(0.1)
    assert present == {*readers, "speaker"} - {"trickle", "deaf"}
    for name, one in readers.items():
        assert name in ("trickle", "deaf") or one.read_bytes > MESSAGES * MESSAGE_BYTES
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)


async def test_one_of_the_largest_messages_ends_nobody_who_hears_it(bridge: StartBridge) -> None:
    running = bridge(config=QUIET + "max_message_bytes = 4000000\n")
    text = "x" * 3_000_000
    async with (
        client(running, v3_path("g", "speaker")) as speaker,
        client(running, v3_path("g", "listener")) as listener,
        client(running, "/ws/group/g/client/42") as old,
    ):
        for _ in range(3):
            await speaker.say({"msg_type": "msg", "target": "group", "msg": text})
        for one in (speaker, listener, old):
            for _ in range(3):
                assert len((await one.hear())["msg"]) == len(text)
