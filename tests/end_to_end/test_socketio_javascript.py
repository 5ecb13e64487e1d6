"""The Socket.IO door, as npm's own client goes through it: in Node, and in a browser that has no WebSocket.

Everyone hears what a raw client in the same place would, whatever they and the speaker go by.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio
from playwright.sync_api import sync_playwright
from websockets.sync.client import connect

from tests.conftest import StartBridge
from tests.end_to_end.clients import ANSWER_SECONDS, Client, client, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, api_key, key, with_key
from tests.end_to_end.javascript import Node, Script, node
from tests.end_to_end.socketio_clients import TRANSPORTS, v3_ids
from tests.machine import socketio_package
from tests.servers import BridgeProcess

ROUTINGS = {"wide": "global", "narrow": "group"}
CONFIG = (
    QUIET
    + UNHURRIED
    + "".join(f'[tenants.{name}]\nv2_routing = "{routing}"\n' for name, routing in ROUTINGS.items())
    + "".join(key(name, name) for name in ROUTINGS)
)
ECHO = {"msg_type": "msg", "target": "echo", "msg": "still here"}
by_each_transport = pytest.mark.parametrize("transports", TRANSPORTS)


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge("--socketio", config=CONFIG) for _ in range(2)]


@pytest.fixture(autouse=True)
def no_traceback(bridges: list[BridgeProcess]) -> Iterator[None]:
    yield
    for bridge in bridges:
        assert "Traceback" not in bridge.log


@pytest.fixture(scope="module")
async def scripts(anyio_backend: Any) -> AsyncIterator[Node]:
    async with node() as running:
        yield running


@dataclass(frozen=True)
class Member:
    """One connection, and how it goes: `raw`, or by one of the transports."""

    tenant: str
    language: str
    way: str
    process: int
    group: str = "team"

    @property
    def client_id(self) -> str:
        return f"{self.language}-{self.way}-{self.group}".replace("/", "_").replace("v2-", "old-")

    def __str__(self) -> str:
        return f"{self.tenant} {self.language} {self.way} {self.group}"


def members_of(tenant: str) -> Iterator[Member]:
    for process, way in enumerate(("raw", "polling", "websocket", "upgrade")):
        yield Member(tenant, "v3", way, process % 2)
    for process, way in enumerate(("ws", "ws_redis", "polling", "websocket", "upgrade")):
        yield Member(tenant, "v2", way, (process + 1) % 2)
    yield Member(tenant, "v3", "polling", 0, "apart")
    yield Member(tenant, "v2", "polling", 1, "apart")
    yield Member(tenant, "v2", "ws", 0, "apart")


MEMBERS = [member for tenant in ROUTINGS for member in members_of(tenant)]


class Crowd:
    """Every member's connection, and the numbers of the messages that each heard."""

    def __init__(self, ears: dict[Member, Client | Script]) -> None:
        self.ears = ears
        self.heard: dict[Member, list[int]] = defaultdict(list)
        self.texts: dict[tuple[int, str, bool], list[Any]] = defaultdict(list)

    async def say(self, member: Member, said: dict[str, Any]) -> None:
        """Say it; it has reached Redis when this returns."""
        ear = self.ears[member]
        if isinstance(ear, Script):
            answer = await ear.ask(said)
            assert answer["ok"], (member, said, answer)
        else:
            await ear.say(json.dumps(said, separators=(",", ":")))

    async def listen(self, member: Member, until: Callable[[Any], bool]) -> None:
        """Note what a member hears until something is said to it."""
        ear = self.ears[member]
        while True:
            if isinstance(ear, Script):
                heard, is_raw = await ear.hear_anything(), False
            else:
                text = await ear.hear_text()
                heard, is_raw = json.loads(text), True
            if until(heard):
                return
            number = heard.get("payload", heard).get("number")
            if number is not None:
                self.heard[member].append(number)
                self.texts[number, member.language, is_raw].append(heard)


@pytest.fixture
async def crowd(bridges: list[BridgeProcess], scripts: Node) -> AsyncIterator[Crowd]:
    ears: dict[Member, Client | Script] = {}
    async with AsyncExitStack() as ends:
        for member in MEMBERS:
            bridge, ids = bridges[member.process], v3_ids(member.client_id, member.group)
            if member.way in TRANSPORTS:
                credentials = {"api_key": api_key(member.tenant)}
                script = await scripts.connected(bridge, f"/{member.language}", member.way, **ids, **credentials)
                ends.push_async_callback(script.close)
                ears[member] = script
                continue
            query = with_key(member.tenant)
            path = f"/{member.way}/group/{member.group}/client/{member.client_id}?{query}"
            path = v3_path(member.group, member.client_id, query) if member.language == "v3" else path
            ears[member] = await ends.enter_async_context(client(bridge, path))
        yield Crowd(ears)


@dataclass(frozen=True)
class Saying:
    """What one member says, and who is to hear it. `speaker` is None for a backend's POST."""

    number: int
    speaker: Member | None
    tenant: str
    to: Member | None

    @property
    def said(self) -> dict[str, Any]:
        if self.speaker is not None and self.speaker.language == "v2":
            return {"number": self.number} | ({} if self.to is None else {"to": self.to.client_id})
        said: dict[str, Any] = {"msg_type": "msg", "payload": {"number": self.number}}
        return said | ({"target": "group"} if self.to is None else {"target": "direct", "to_id": self.to.client_id})

    def is_heard_by(self, member: Member) -> bool:
        if member.tenant != self.tenant:
            return False
        is_born_on_v2 = self.speaker is not None and self.speaker.language == "v2"
        if member.language == "v2" and ROUTINGS[self.tenant] == "global" and (is_born_on_v2 or self.to is None):
            return True
        return member == self.to if self.to is not None else member.group == "team"


def everything() -> Iterator[Saying]:
    """Every pair, directly, and everyone to the group."""
    number = 0
    for tenant in ROUTINGS:
        members = [member for member in MEMBERS if member.tenant == tenant]
        speakers: list[Member | None] = [None, *(member for member in members if member.group == "team")]
        for speaker in speakers:
            for to in (None, *members):
                number += 1
                yield Saying(number, speaker, tenant, to)


SAYINGS = list(everything())


async def published(bridge: BridgeProcess, saying: Saying) -> None:
    headers = {"X-Api-Key": api_key(saying.tenant)}
    async with httpx.AsyncClient(base_url=bridge.url, headers=headers) as http:
        answer = await http.post("/v3/messages", json={"group_id": "team", **saying.said})
        assert answer.status_code == 202, answer.text


async def test_everyone_hears_once_what_a_raw_client_would(
    bridges: list[BridgeProcess], crowd: Crowd, redis_url: str, module_prefix: str
) -> None:
    def holds(mark: str) -> Callable[[Any], bool]:
        return lambda heard: isinstance(heard, dict) and heard.get("msg") == mark

    async with asyncio.TaskGroup() as tasks:
        listening = [tasks.create_task(crowd.listen(member, holds("the end"))) for member in MEMBERS]
        async with asyncio.TaskGroup() as speakers:
            for speaker in {saying.speaker for saying in SAYINGS}:
                sayings = [saying for saying in SAYINGS if saying.speaker == speaker]
                speakers.create_task(say_all(bridges[0], crowd, speaker, sayings))
        await until_all_is_heard(crowd)
        end = json.dumps({"version": "3", "msg_type": "msg", "target": "broadcast", "msg": "the end"})
        async with redis.asyncio.Redis.from_url(redis_url) as publisher:
            await publisher.publish(f"{module_prefix}:{{b}}", end)
        await asyncio.gather(*listening)
    for member in MEMBERS:
        expected = Counter(saying.number for saying in SAYINGS if saying.is_heard_by(member))
        assert Counter(crowd.heard[member]) == expected, member
        for speaker in {saying.speaker for saying in SAYINGS}:
            numbers = {saying.number for saying in SAYINGS if saying.speaker == speaker and saying.to is None}
            in_order = [number for number in crowd.heard[member] if number in numbers]
            assert in_order == sorted(in_order)
    for number in {number for number, _, _ in crowd.texts}:
        for language in ("v3", "v2"):
            texts = [*crowd.texts[number, language, True], *crowd.texts[number, language, False]]
            assert all(text == texts[0] for text in texts)


async def say_all(bridge: BridgeProcess, crowd: Crowd, speaker: Member | None, sayings: list[Saying]) -> None:
    for saying in sayings:
        if speaker is None:
            await published(bridge, saying)
        else:
            await crowd.say(speaker, saying.said)


async def until_all_is_heard(crowd: Crowd) -> None:
    """What must be heard; that nothing more is, the end shows."""
    expected = {member: sum(saying.is_heard_by(member) for saying in SAYINGS) for member in MEMBERS}
    async with asyncio.timeout(20):
        while any(len(crowd.heard[member]) < number for member, number in expected.items()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@by_each_transport
async def test_a_script_is_answered_in_both_namespaces(
    bridges: list[BridgeProcess], scripts: Node, transports: str
) -> None:
    ids = v3_ids("script", f"alone-{transports}", api_key=api_key("wide"))
    new = await scripts.connected(bridges[0], "/v3", transports, **ids)
    assert (await new.ask(ECHO))["ok"]
    assert (await new.ask({**ECHO, "msg": "half \ud83d"}))["code"] == "invalid_json"
    assert (await new.ask({}))["code"] == "invalid_message"
    assert (await new.ask({**ECHO, "target": "direct", "to_id": "gone"}))["code"] == "not_connected"
    old = await scripts.connected(bridges[0], "/v2", transports, **ids)
    assert (await old.ask("no JSON"))["ok"]
    await old.say("no JSON at all")
    while await old.hear_anything() != "no JSON at all":
        pass
    for script in (new, old):
        await script.close()
        assert await script.until("disconnect") == "io client disconnect"


@by_each_transport
async def test_a_script_that_is_not_let_in_hears_why(
    bridges: list[BridgeProcess], scripts: Node, transports: str
) -> None:
    for namespace, code in (("/v3", "unauthenticated"), ("/v2", "unauthenticated"), ("/v1", "invalid_namespace")):
        script = await scripts.open(bridges[0], namespace, transports, **v3_ids("script"))
        refused = await script.until("connect_error")
        assert refused["message"]
        assert refused["data"]["code"] == code
        await script.close()


@by_each_transport
async def test_after_a_restart_a_script_comes_back_by_itself(
    bridge: StartBridge, scripts: Node, transports: str
) -> None:
    running = bridge("--socketio", config=QUIET)
    script = await scripts.connected(running, "/v3", transports, **v3_ids("script"))
    await asyncio.sleep(0.2)  # it is told by a poll, which must be open
    assert await asyncio.to_thread(running.terminate) == 0
    assert (await script.hear_anything())["payload"]["code"] == "going_away"
    assert await script.until("disconnect") in ("transport close", "transport error")
    await asyncio.to_thread(running.start)
    await script.until("connect")
    assert (await script.ask(ECHO))["ok"]
    await script.close()


@by_each_transport
async def test_a_script_that_was_too_big_is_told_to_stay_away(
    bridges: list[BridgeProcess], scripts: Node, transports: str
) -> None:
    ids = v3_ids("script", f"alone-{transports}", api_key=api_key("wide"))
    script = await scripts.connected(bridges[0], "/v3", transports, **ids)
    await script.say({**ECHO, "msg": "x" * 65_600})
    assert (await script.hear_anything())["payload"]["code"] == "message_too_big"
    assert await script.until("disconnect") == "io server disconnect"
    await script.close()


async def test_an_upgrade_in_the_midst_of_a_talk_loses_doubles_and_shuffles_nothing(
    bridges: list[BridgeProcess], scripts: Node
) -> None:
    talking = True

    async def talk(talker: Client) -> int:
        number = 0
        while talking:
            number += 1
            await talker.say({"msg_type": "msg", "target": "group", "payload": {"number": number}})
            await asyncio.sleep(0.002)
        return number

    query = with_key("wide")
    async with client(bridges[1], v3_path("lively", "talker", query)) as talker:
        speaking = asyncio.create_task(talk(talker))
        for number in range(10):
            ids = v3_ids(f"script-{number}", "lively", api_key=api_key("wide"))
            script = await scripts.connected(bridges[0], "/v3", "upgrade", **ids)
            heard = [(await script.hear_anything())["payload"]["number"] for _ in range(100)]
            assert heard == list(range(heard[0], heard[0] + 100))
            await script.close()
        talking = False
        await speaking


PAGE = """<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module">
import { io } from "./socket.io.esm.min.js";
window.heard = [];
window.open_ = (url, auth) => new Promise((resolve, reject) => {
  window.client = io(url, { auth });
  window.client.on("message", (said) => window.heard.push(said));
  window.client.on("connect", () => resolve(window.client.io.engine.transport.name));
  window.client.on("connect_error", (error) => reject(new Error(JSON.stringify(error.data) ?? error.message)));
});
window.ask = (said) => window.client.timeout(5000).emitWithAck("message", said);
window.ready = true;
</script>"""


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def page_url(tmp_path: Path) -> Iterator[str]:
    """A page of another origin on loopback, with npm's bundle beside it."""
    shutil.copy(socketio_package() / "dist/socket.io.esm.min.js", tmp_path)
    (tmp_path / "index.html").write_text(PAGE)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("has_websocket", [False, True])
def test_a_page_of_another_origin_speaks_with_everyone(
    bridge: StartBridge,
    chromium: str,
    page_url: str,
    has_websocket: bool,  # noqa: FBT001
) -> None:
    running = bridge("--socketio", config=QUIET)
    with (
        sync_playwright() as playwright,
        connect(running.websocket_url + v3_path("talk", "raw")) as new,
        connect(f"{running.websocket_url}/ws/group/talk/client/42") as old,
    ):
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        if not has_websocket:
            page.add_init_script("delete window.WebSocket; delete window.WebTransport;")
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(page_url)
        page.wait_for_function("window.ready")
        opened = page.evaluate("args => open_(...args)", [f"{running.url}/v3", v3_ids("page")])
        if has_websocket and opened == "polling":
            page.wait_for_function("client.io.engine.transport.name === 'websocket'")
        assert page.evaluate("ask({msg_type: 'msg', target: 'group', msg: 'from the page'})")["ok"]
        assert [json.loads(each.recv(ANSWER_SECONDS)).get("msg") for each in (new, old)] == ["from the page"] * 2
        old.send('{"msg":"from v2"}')
        new.send('{"msg_type":"msg","target":"direct","to_id":"page","msg":"from v3"}')
        page.wait_for_function("heard.length === 3")
        heard = page.evaluate("heard")
        assert {(said["msg"], said["from_id"]) for said in heard} == {
            ("from the page", "page"),
            ("from v2", "v2-42"),
            ("from v3", "raw"),
        }
        assert page.evaluate("client.io.engine.transport.name") == ("websocket" if has_websocket else "polling")
        assert page.evaluate("typeof WebSocket") == ("function" if has_websocket else "undefined")
        browser.close()
        assert not complaints
