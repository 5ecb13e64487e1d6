"""How connections and processes end: slow readers are cut, processes stop politely, and the dead leave no ghosts."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import UNHURRIED
from tests.end_to_end.raw import HANDSHAKE, request
from tests.end_to_end.test_redis_link import members_known_to
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch, within

SMALL_OUTBOX = "outbox_bytes = 65536\n"
GHOST_SECONDS = 30.0


def resident_bytes(bridge: BridgeProcess) -> int:
    """How much memory the process holds."""
    fields = Path(f"/proc/{bridge.pid}/statm").read_text().split()
    return int(fields[1]) * 4096


async def never_reading(bridge: BridgeProcess, path: str) -> socket.socket:
    """A client that shakes hands and then reads nothing, with a receive buffer that is soon full."""
    loop = asyncio.get_running_loop()
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent.setblocking(False)
    await loop.sock_connect(silent, ("127.0.0.1", bridge.port))
    await loop.sock_sendall(silent, request(path, HANDSHAKE))
    head = b""
    while b"\r\n\r\n" not in head:
        head += await loop.sock_recv(silent, 1)
    return silent


async def group_size(bridge: BridgeProcess) -> int:
    return len(await members_known_to(bridge))


async def presence_events(listener: Client, count: int) -> list[tuple[str, str]]:
    """The next events that a client hears, as (JOIN or LEAVE, client id)."""
    events: list[tuple[str, str]] = []
    async with within(GHOST_SECONDS):
        while len(events) < count:
            heard = json.loads(str(await listener.connection.recv()))
            if heard["msg_type"] == "presence":
                events.append((heard["cmd"], heard["payload"]["client_id"]))
    return events


async def test_a_client_that_never_reads_is_cut_and_holds_up_nobody(bridge: StartBridge) -> None:
    """The bound is the outbox; what it held is given back."""
    running = bridge(config=UNHURRIED + SMALL_OUTBOX)
    async with client(running, v3_path("talk", "talker")) as talker:
        silent = await never_reading(running, v3_path("talk", "silent"))
        before = resident_bytes(running)
        text = "x" * 60_000
        with silent:
            for number in range(120):
                heard: dict[str, Any] = {}
                await talker.say({"msg_type": "msg", "target": "group", "msg": text, "payload": {"number": number}})
                while heard.get("payload", {}).get("number") != number:
                    heard = await talker.hear_anything()

            async def gone() -> bool:
                return await group_size(running) == 1

            await eventually(gone, 10)
        assert resident_bytes(running) - before < 20 * 1024 * 1024
        assert await talker.is_served()


@pytest.mark.parametrize("path", [v3_path("talk", "polite"), "/ws/group/talk/client/polite"])
async def test_a_stopping_process_tells_everyone_and_exits_with_0(bridge: StartBridge, path: str) -> None:
    """Also where one client never reads: that one is aborted."""
    running = bridge()
    async with client(running, path) as polite:
        with await never_reading(running, v3_path("talk", "silent")):
            stopwatch = Stopwatch()
            ending = asyncio.create_task(asyncio.to_thread(running.terminate))
            heard = await polite.hear()
            said = heard.get("payload") or heard["bridge"]
            assert said.get("code", said.get("error")) == "going_away"
            assert 0 < said["retry_after_ms"] < 10_000
            assert await polite.close_code() == 1012
            assert await ending == 0
            assert stopwatch.least_seconds < 8


async def test_a_killed_process_leaves_no_ghost_and_its_clients_leave_once(bridge: StartBridge) -> None:
    killed, other = bridge(), bridge()
    async with client(other, v3_path("talk", "stays")) as stays:
        assert await presence_events(stays, 1) == [("JOIN", "stays")]
        async with client(killed, v3_path("talk", "goes")) as goes, client(killed, "/ws/group/talk/client/42") as old:
            assert sorted(await presence_events(stays, 2)) == [("JOIN", "goes"), ("JOIN", "v2-42")]
            killed.kill()
            assert sorted(await presence_events(stays, 2)) == [("LEAVE", "goes"), ("LEAVE", "v2-42")]
            assert await members_known_to(other) == {"stays"}
            assert await goes.close_code() == await old.close_code() == 1006
        assert await stays.is_served()


async def test_a_process_that_stalls_for_five_seconds_keeps_its_clients_present(bridge: StartBridge) -> None:
    stalled, other = bridge(), bridge()
    async with (
        client(stalled, v3_path("talk", "patient")) as patient,
        client(other, v3_path("talk", "watcher")) as watcher,
    ):
        assert sorted(await presence_events(watcher, 2)) == [("JOIN", "patient"), ("JOIN", "watcher")]
        stalled.freeze()
        await asyncio.sleep(5)  # so long it stalls
        assert await members_known_to(other) == {"patient", "watcher"}
        stalled.thaw()
        assert await patient.is_served()
        async with client(other, v3_path("talk", "late")):
            assert await presence_events(watcher, 1) == [("JOIN", "late")]
