"""Whoever is sent away politely is 50 ms away: what it says before it can know is heard, and so is who speaks to it.

Each message of such a client is heard, or was never sent after its close. Each message to it is heard by it, there or
where it returns; or, if it returns under another name, its sender is told that it is not connected.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import socketio
from websockets.exceptions import ConnectionClosed

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.end_to_end.socketio_clients import POLLING, Visitor, connect, library_client, poller, v3_ids
from tests.end_to_end.test_faults import metric
from tests.proxy import Proxy, proxy_to
from tests.servers import BridgeProcess

CONFIG = (
    QUIET + "[tenants.acme]\n" + key("acme", "acme") + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
ONE_WAY_SECONDS = 0.05
A_SECOND = 50
ACME = {"api_key": api_key("acme")}
BY_SOCKETIO = f"/socket.io/?{POLLING}".replace("polling", "websocket")


@asynccontextmanager
async def far_away(bridge: BridgeProcess) -> AsyncIterator[Proxy]:
    async with proxy_to(bridge.port) as proxy:
        proxy.up.delay_seconds = proxy.down.delay_seconds = ONE_WAY_SECONDS
        yield proxy


async def order(bridge: BridgeProcess, what: str) -> None:
    """Send the client away: by a stage, by a new name, or by the end of its process."""
    if what == "end":
        await asyncio.to_thread(bridge.terminate)
        return
    path = "ids" if what == "ids" else "stage"
    share = {"share": 100} if what == "drain" else {}
    said = {"ids": {"42": "Xk3"}} if what == "ids" else {"stage": what, "why": "test", **share}
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api/tenants/acme", headers=headers) as http:
        answer = await http.put(f"/{path}", json=said)
        if "confirm" in answer.text:
            answer = await http.put(f"/{path}", json={**said, "confirm": "acme"})
        assert answer.status_code == 200, answer.text


def numbers_in(heard: list[dict[str, Any]]) -> list[int]:
    """Which numbers were heard, whichever language they came in."""
    return [
        said["payload"]["number"] if "payload" in said else said["number"] for said in heard if "number" in str(said)
    ]


def message(number: int, language: str) -> dict[str, Any]:
    if language == "v2":
        return {"number": number}
    return {"msg_type": "msg", "target": "group", "payload": {"number": number}}


async def say_on(say: Callable[[Any], Any], language: str, is_over: Callable[[], bool]) -> int:
    """Say a number each 20 ms until it is known that the server has closed; how many were sent."""
    number = 0
    with suppress(ConnectionClosed, socketio.exceptions.SocketIOError):
        while not is_over():
            await say(message(number, language))
            number += 1
            await asyncio.sleep(1 / A_SECOND)
    return number


async def everything(observer: Client, until: int) -> list[int]:
    """What an observer hears, until the number before `until`, or nothing more comes."""
    heard: list[int] = []
    with suppress(TimeoutError, ConnectionClosed):
        while not heard or heard[-1] != until - 1:
            heard += numbers_in([json.loads(await asyncio.wait_for(observer.connection.recv(), 3))])
    return heard


def observer_of(bridge: BridgeProcess, language: str) -> Any:
    """Somebody of the other language, who is sent away by nothing that sends this one away."""
    path = f"/ws/group/talk/client/7?{with_key('acme')}"
    return client(bridge, path if language == "v3" else v3_path("talk", "ann", with_key("acme")))


@pytest.mark.parametrize(
    ("language", "what"), [("v2", "drain"), ("v2", "v3"), ("v2", "ids"), ("v2", "end"), ("v3", "legacy"), ("v3", "end")]
)
async def test_all_that_a_websocket_says_before_it_can_know_is_heard(
    bridge: StartBridge, language: str, what: str
) -> None:
    here, there = bridge(config=CONFIG), bridge(config=CONFIG)
    path = (
        f"/ws/group/talk/client/42?{with_key('acme')}" if language == "v2" else v3_path("talk", "io", with_key("acme"))
    )
    async with observer_of(there, language) as observer, far_away(here) as away, client(away, path) as moved:
        saying = asyncio.create_task(say_on(moved.say, language, lambda: False))
        await asyncio.sleep(0.5)
        _, said = await asyncio.gather(order(here, what), saying)
        assert await everything(observer, said) == list(range(said))


async def enter_by_socketio(entering: Client) -> None:
    """A WebSocket to the door of Socket.IO connects to V2."""
    await entering.hear_text()
    await entering.say(f"40/v2,{json.dumps({**v3_ids('42'), **ACME})}")
    assert (await entering.hear_text()).startswith("40/v2,")


async def notice_in(moved: Client) -> dict[str, Any]:
    """What a V2 client is told that is moved, at either door."""
    text = await moved.hear_text()
    told = json.loads(text.removeprefix("42/v2,"))
    notice: dict[str, Any] = (told[1] if isinstance(told, list) else told)["bridge"]
    return notice


@pytest.mark.parametrize("door", ["websocket", "socketio"])
@pytest.mark.parametrize("hears_it", [True, False])
async def test_a_v2_client_that_is_moved_is_told_later_where_it_was_only_if_it_has_taken_all(
    bridge: StartBridge, door: str, *, hears_it: bool
) -> None:
    """One whose network is gone has not: what was written to its socket would be missing for ever."""
    here, path = bridge("--socketio", config=CONFIG), f"/ws/group/talk/client/42?{with_key('acme')}"

    async def is_sent_away() -> bool:
        return await metric(here, "bridge_connections") == 0

    since = "@"
    async with client(here, path if door == "websocket" else BY_SOCKETIO) as moved:
        if door == "socketio":
            await enter_by_socketio(moved)
        if not hears_it:
            moved.connection.transport.pause_reading()
        await order(here, "drain")
        await eventually(is_sent_away)
        if hears_it:
            since = (await notice_in(moved))["since"]
            assert since != "@"
            assert await moved.close_code() == 4426
        told, _ = await refused(here, path)
        assert told["bridge"]["since"] == since
        moved.connection.transport.abort()


@pytest.mark.parametrize("transports", ["polling", "websocket", "upgrade"])
@pytest.mark.parametrize(("language", "what"), [("v2", "drain"), ("v3", "legacy"), ("v2", "ids")])
async def test_so_is_all_that_a_client_of_socketio_says(
    bridge: StartBridge, transports: str, language: str, what: str
) -> None:
    """The client's library says nothing more once it knows; what it has in hand by then, it drops itself."""
    here = bridge("--socketio", config=CONFIG)
    async with observer_of(here, language) as observer, far_away(here) as away, library_client() as library:
        moved = Visitor(library, f"/{language}")
        url = f"http://127.0.0.1:{away.port}"
        ids = v3_ids("42" if language == "v2" else "io")
        await connect(library, url, moved.namespace, transports, "", {**ids, **ACME})
        saying = asyncio.create_task(say_on(moved.say, language, moved.is_over.is_set))
        await asyncio.sleep(0.7)
        _, said = await asyncio.gather(order(here, what), saying)
        heard = await everything(observer, said)
        unsent = 15 if transports == "polling" else 1  # what waited for the library's next POST, a round trip later
        assert heard == list(range(len(heard)))
        assert said - len(heard) <= unsent


async def test_of_a_client_that_polls_it_is_not_known_whether_it_has_taken_all(bridge: StartBridge) -> None:
    """It is told where it was in the notice itself, or never: what answers its polls may be lost on the way."""
    here = bridge("--socketio", config=CONFIG)
    async with poller(here) as moved:
        await moved.enter("/v2", {**v3_ids("42"), **ACME})
        await order(here, "drain")
        notice = json.loads((await moved.hear())[0].removeprefix("42/v2,"))[1]["bridge"]
        told, _ = await refused(here, f"/ws/group/talk/client/42?{with_key('acme')}")
        assert (notice["since"] != "@", told["bridge"]["since"]) == (True, "@")


class Correspondence:
    """One client that speaks to another, number by number, and what becomes of each."""

    def __init__(self, sender: Client, recipient: Client) -> None:
        self.heard: list[int] = []
        self.refused: list[int] = []
        self.said = 0
        self._sender = sender
        self._recipient = recipient
        self._is_over = False
        self.notice: dict[str, Any] = {}

    async def hear(self) -> None:
        """What the recipient hears until its end."""
        await self.listen(self._recipient)
        self._is_over = True

    async def listen(self, recipient: Client) -> None:
        """What the recipient hears, perhaps on another connection, until that ends."""
        with suppress(ConnectionClosed):
            while True:
                said = json.loads(await recipient.connection.recv())
                self.notice = said.get("bridge", self.notice)
                if said.get("cmd", "").isdigit():
                    self.heard.append(int(said["cmd"]))

    async def be_refused(self) -> None:
        while True:
            told = await self._sender.hear()
            assert told["payload"]["code"] == "not_connected", told
            self.refused.append(int(told["payload"]["refused"]["cmd"]))

    async def speak(self) -> None:
        """A number each few milliseconds until the recipient has ended."""
        while not self._is_over:
            number = str(self.said)
            await self._sender.say({"msg_type": "cmd", "target": "direct", "to_id": "v2-42", "cmd": number})
            self.said += 1
            await asyncio.sleep(0.012)

    async def are_all_known(self) -> bool:
        return not self.unknown

    @property
    def unknown(self) -> set[int]:
        """The numbers of which the sender does not know what became of them."""
        return set(range(self.said)) - set(self.heard) - set(self.refused)


@pytest.mark.parametrize("what", ["drain", "v3", "ids", "end"])
async def test_who_speaks_to_a_client_that_is_sent_away_knows_what_became_of_it(bridge: StartBridge, what: str) -> None:
    here, there = bridge(config=CONFIG), bridge(config=CONFIG)
    path = "/ws/group/talk/client/42"
    async with (
        client(there, v3_path("other", "ann", with_key("acme"))) as ann,
        far_away(here) as away,
        client(away, f"{path}?{with_key('acme')}") as moved,
    ):
        letters = Correspondence(ann, moved)
        being_refused = asyncio.create_task(letters.be_refused())
        going_on = asyncio.gather(letters.hear(), letters.speak())
        await asyncio.sleep(0.5)
        await asyncio.gather(order(here, what), going_on)
        back = f"{letters.notice.get('successor', path)}?{with_key('acme')}&since={letters.notice.get('since', '')}"
        async with client(there, back) as returned:
            hearing = asyncio.create_task(letters.listen(returned))
            await eventually(letters.are_all_known)
            hearing.cancel()
        being_refused.cancel()
        assert (letters.unknown, len(letters.heard) > 10) == (set(), True)
        assert len(letters.heard) == len(set(letters.heard))
        assert bool(letters.refused) == (what == "ids")
