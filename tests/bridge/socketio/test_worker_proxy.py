"""Socket.IO sessions among workers: each request on a connection of its own, so that the kernel spreads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET
from tests.servers import BridgeProcess

POLLING = "/socket.io/?EIO=4&transport=polling"
REQUESTS = 24
CONNECT = '40/v3,{"group_id":"g","client_id":"poller"}'


@pytest.fixture(scope="module")
def three(module_bridge: StartBridge) -> BridgeProcess:
    """A command with three workers."""
    return module_bridge("--socketio", "--workers", "3", config=QUIET)


class Poller:
    """A session that polls, over a new connection each time."""

    def __init__(self, bridge: BridgeProcess, sid: str) -> None:
        self.bridge = bridge
        self.sid = sid
        self.path = f"{POLLING}&sid={sid}"

    async def ask(self, method: str, body: str = "") -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.bridge.url, timeout=30) as http:
            return await http.request(method, self.path, content=body.encode())

    async def hear(self) -> list[str]:
        answer = await self.ask("GET")
        assert answer.status_code == 200
        return answer.text.split("\x1e")


@pytest.fixture
async def poller(three: BridgeProcess) -> AsyncIterator[Poller]:
    async with httpx.AsyncClient(base_url=three.url) as http:
        opened = json.loads((await http.get(POLLING)).text[1:])
    one = Poller(three, opened["sid"])
    assert (await one.ask("POST", CONNECT)).text == "ok"
    assert (await one.hear())[0].startswith("40/v3,")
    yield one
    await one.ask("POST", "1")


async def test_a_session_is_found_by_whichever_worker_is_asked(three: BridgeProcess, poller: Poller) -> None:
    for number in range(REQUESTS):
        said = json.dumps({"msg_type": "msg", "target": "echo", "msg": str(number)})
        assert (await poller.ask("POST", f'42/v3,["message",{said}]')).text == "ok"
        (heard,) = await poller.hear()
        assert json.loads(heard.removeprefix("42/v3,"))[1]["msg"] == str(number)


async def test_a_poll_that_waits_elsewhere_is_answered_when_something_comes(
    three: BridgeProcess, poller: Poller
) -> None:
    polls = asyncio.create_task(poller.hear())
    async with client(three, v3_path("g", "ann")) as ann:
        await ann.say({"msg_type": "msg", "target": "direct", "to_id": "poller", "msg": "psst"})
        (heard,) = await polls
    assert '"msg":"psst"' in heard


async def test_a_session_is_upgraded_through_whichever_worker_is_asked(three: BridgeProcess, poller: Poller) -> None:
    path = f"/socket.io/?EIO=4&transport=websocket&sid={poller.sid}"
    async with connect(f"{three.websocket_url}{path}", compression=None, proxy=None) as upgraded:
        await upgraded.send("2probe")
        assert await upgraded.recv() == "3probe"
        await upgraded.send("5")
        await upgraded.send('42/v3,["message",{"msg_type":"msg","target":"echo","msg":"over a websocket"}]')
        while (heard := await upgraded.recv()) == "6":
            pass
        assert "over a websocket" in str(heard)


async def test_the_session_of_a_worker_that_never_was_is_no_session(three: BridgeProcess) -> None:
    for sid in ("0.unknown", "1.unknown", "2.unknown", "9.unknown", "unknown", "..", "0"):
        answer = await Poller(three, sid).ask("GET")
        assert (answer.status_code, answer.json()["code"]) == (400, 1)


async def test_a_body_that_is_too_long_is_refused_whichever_worker_is_asked(poller: Poller) -> None:
    assert {(await poller.ask("POST", "4" * 200_000)).status_code for _ in range(6)} == {413}
