"""`/client/v2-shim.js` in a real Chromium: V2 pages, unchanged but for one script line, on tenants in stage `v3`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Page, WebSocket, expect
from websockets.sync.client import ClientConnection, connect

from tests.conftest import StartBridge
from tests.end_to_end.browsing import Visitor
from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import QUIET, SECRET, UNHURRIED, api_key, key, token, with_key
from tests.servers import BridgeProcess

STAGE_V3: Final = '[tenants.acme]\nstage = "v3"\n'
LIMITED: Final = key("web", "acme") + STAGE_V3
CONFIG: Final = UNHURRIED + key("web", "acme") + key("muted", "acme", broadcast="none") + STAGE_V3
OPERATED: Final = CONFIG + key("operator", "*").replace("\n", "\nadmin = true\n", 1)
ROOM: Final = "blue room"
ROOM_OF_V3: Final = "v2-blue_20room"
ANSWER_SECONDS: Final = 15.0
COLLECT: Final = """([url, protocols]) => {
  window.told = [];
  window.socket = new WebSocket(url);
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, (event) => told.push([type, event.data ?? event.code ?? null]));
  }
}"""


@pytest.fixture
def v3(request: pytest.FixtureRequest) -> Iterator[Callable[..., ClientConnection]]:
    """Opens real V3 clients."""
    with ExitStack() as ends:

        def open_client(
            bridge: BridgeProcess, client_id: str, group: str = ROOM_OF_V3, query: str = ""
        ) -> ClientConnection:
            address = bridge.websocket_url + v3_path(group, client_id, query or with_key("web"))
            return ends.enter_context(connect(address, max_queue=None))

        yield open_client


def script_line(bridge: BridgeProcess, attributes: str = "") -> str:
    return f'<script src="{bridge.url}/client/v2-shim.js" {attributes}></script>'


def chat(visitor: Visitor, bridge: BridgeProcess, me: str, query: str = "", attributes: str = "") -> Page:
    """The V2 page, with one line more; connected."""
    visitor.site.add_with_line("/chat", "v2_chat.html", script_line(bridge, attributes))
    settings = {"server": bridge.websocket_url, "room": ROOM, "me": me, "query": query or with_key("web")}
    page = visitor.open("/chat", settings)
    expect(page.locator("#status")).to_have_text("online")
    return page


def has_heard_of(page: Page, last: str) -> None:
    """What a page says when it opens has come: nothing of it comes between what is said from now on."""
    expect(lines(page, "presence").last).to_have_text(f"{last} is here")


def blank(visitor: Visitor, bridge: BridgeProcess, attributes: str = "", page: str = "/blank") -> Page:
    visitor.site.add(page, f"<!doctype html><head>{script_line(bridge, attributes)}</head>")
    return visitor.open(page)


LATE: Final = """window.WebSocket = class extends WebSocket {
  send(text) {
    this.held ??= [];
    if (this.held.push(text) > 1) return;
    setTimeout(() => { for (const one of this.held.splice(0)) super.send(one); }, 300);
  }
};"""


def lines(page: Page, kind: str) -> Any:
    return page.locator(f"#log .{kind}")


def hear(client: ClientConnection, **wanted: Any) -> dict[str, Any]:
    """The next message of which this is true."""
    while True:
        message: dict[str, Any] = json.loads(client.recv(ANSWER_SECONDS))
        if wanted.items() <= message.items():
            return message


def collected(page: Page, url: str) -> Callable[[], list[list[Any]]]:
    """A socket of the page; the answer tells what it was told so far."""
    page.evaluate(COLLECT, [url, None])
    return lambda: page.evaluate("told")


def until(page: Page, holds: str) -> None:
    page.wait_for_function(holds, timeout=15_000)


def test_a_page_without_the_line_is_refused(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    visitor.site.add_with_line("/plain", "v2_chat.html", "")
    page = visitor.open("/plain", {"server": served.websocket_url, "room": ROOM, "me": "42", "query": with_key("web")})
    expect(lines(page, "bridge")).to_have_text("v2_retired")
    expect(page.locator("#status")).to_have_text("closed 4410 clean")


def test_two_pages_hear_each_other_in_their_own_words(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    ann = chat(visitor, served, "42")
    bob = chat(visitor, served, "bob")
    expect(lines(ann, "presence")).to_have_text(["42 is here", "bob is here"])

    ann.get_by_label("Message").fill("hello — ünïcode 🜁")
    ann.get_by_role("button").click()
    for page in (ann, bob):
        expect(lines(page, "chat")).to_have_text("42: hello — ünïcode 🜁")

    bob.evaluate("send({ type: 'typing', user: 'bob' })")
    expect(ann.locator("#typing")).to_have_text("bob is typing")
    bob.evaluate("send({ type: 'vote', user: 'bob', data: { choice: 2, of: [1, 2, 3] } })")
    expect(lines(ann, "vote")).to_have_text("bob votes 2 of 1/2/3")
    bob.evaluate("send('no JSON at all')")
    expect(lines(ann, "plain")).to_have_text("no JSON at all")
    bob.evaluate("send({ reload: 'now' })")
    expect(lines(ann, "reload")).to_have_text("now")
    bob.evaluate("send([1, [2]])")
    until(ann, "raw.includes('[1,[2]]')")


def test_what_a_page_says_to_one_is_heard_by_both_and_no_other(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    ann, bob, eve = (chat(visitor, served, me) for me in ("42", "43", "44"))
    for page in (ann, bob, eve):
        has_heard_of(page, "44")
    ann.evaluate("send({ type: 'chat', user: ME, text: 'psst', to: 43 })")
    ann.evaluate("send({ type: 'chat', user: ME, text: 'all' })")
    expect(lines(ann, "chat")).to_have_text(["42: psst (to 43)", "42: all"])
    expect(lines(bob, "chat")).to_have_text(["42: psst (to 43)", "42: all"])
    expect(lines(eve, "chat")).to_have_text(["42: all"])
    ann.evaluate("send({ type: 'chat', user: ME, text: 'me', to: '42' })")
    expect(lines(ann, "chat")).to_have_text(["42: psst (to 43)", "42: all", "42: me (to 42)"])


def test_a_page_and_a_v3_client_hear_each_other(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=CONFIG)
    ann = chat(visitor, served, "42")
    alice = v3(served, "alice")
    ann.evaluate("send({ msg: 'hi', colour: 'red', id: 7 })")
    heard = hear(alice, msg_type="msg")
    assert heard["payload"] == {"colour": "red", "id": 7}
    assert (heard["msg"], heard["from_id"], heard["group_id"], heard["target"]) == ("hi", "v2-42", ROOM_OF_V3, "group")
    ann.evaluate("send({ text: 'psst', to: 'alice' })")
    heard = hear(alice, target="direct")
    assert (heard["msg"], heard["to_id"]) == ("psst", "alice")

    alice.send('{"msg_type":"msg","target":"group","msg":"hello","payload":{"n":12345678901234567890}}')
    expect(lines(ann, "msg")).to_have_text(["42: hi", "alice: hello"])
    assert '"n":12345678901234567890' in ann.evaluate("raw.at(-1)")
    alice.send('{"msg_type":"cmd","target":"direct","to_id":"v2-42","cmd":"SET_TITLE","payload":{"title":"Retitled"}}')
    expect(lines(ann, "cmd")).to_have_text("SET_TITLE")
    assert ann.title() == "Retitled"
    facts = ann.evaluate(
        "(({ client_id, group_id, sent_at, to_id }) => [client_id, group_id, !!sent_at, to_id])(frames.at(-1))"
    )
    assert facts == ["alice", ROOM, True, 42]


def test_what_is_v3s_alone_is_not_shown(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=CONFIG)
    ann = chat(visitor, served, "42", attributes='data-heartbeat-seconds="0.05"')
    alice = v3(served, "alice")
    alice.send('{"msg_type":"presence","target":"group","payload":{"mood":"good"}}')
    hear(alice, msg_type="presence", from_id="alice")
    alice.send('{"msg_type":"presence","target":"echo"}')
    ann.wait_for_timeout(400)  # some heartbeats, and the JOIN, which may be 250 ms late
    alice.send('{"msg_type":"msg","target":"group","msg":"last"}')
    expect(lines(ann, "msg")).to_have_text("alice: last")
    assert [frame["type"] for frame in ann.evaluate("frames")] == ["presence", "msg"]


def test_a_pages_own_heartbeat_comes_back_as_it_was_said(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    ann, bob = chat(visitor, served, "42"), chat(visitor, served, "bob")
    has_heard_of(ann, "bob")
    ann.evaluate('send(\'{"type": "ping",  "user": "42"}\')')
    expect(lines(ann, "ping")).to_have_text("42")
    assert ann.evaluate("raw.at(-1)") == '{"type": "ping",  "user": "42"}'
    expect(lines(bob, "ping")).to_have_count(0)


def test_a_page_comes_back_by_itself_after_a_restart(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    ann = chat(visitor, served, "42")
    served.terminate()
    expect(lines(ann, "bridge")).to_have_text("going_away")
    expect(ann.locator("#status")).to_contain_text("closed")
    assert "retry_after_ms" in ann.evaluate("frames.find(({ bridge }) => bridge).bridge")
    served.start()
    expect(ann.locator("#status")).to_have_text("online", timeout=15_000)


@pytest.mark.parametrize(
    ("query", "code", "close"),
    [("api_key=wrong", "unauthenticated", 4401), (f"{with_key('web')}&x_account_id=b", "forbidden", 4403)],
)
def test_a_refused_handshake_is_told_and_closed_as_in_v2(
    bridge: StartBridge, visitor: Visitor, query: str, code: str, close: int
) -> None:
    served = bridge(config=CONFIG)
    page = blank(visitor, served)
    told = collected(page, f"{served.websocket_url}/ws/42?{query}")
    until(page, "told.length === 3")
    [opened, heard, closed] = told()
    assert (opened[0], closed) == ("open", ["close", close])
    error = json.loads(heard[1])["bridge"]
    assert error["error"] == code
    assert set(error) == {"error", "msg"}


def test_an_id_too_long_is_refused_as_in_v2(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    page = blank(visitor, served)
    told = collected(page, f"{served.websocket_url}/ws/{'x' * 129}?{with_key('web')}")
    until(page, "told.length === 3")
    assert told()[-1] == ["close", 4400]


def test_every_form_of_a_v2_address_is_served(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + CONFIG)
    page = blank(visitor, served)
    alice, others = v3(served, "alice", "lobby"), v3(served, "other", "v2-7")
    forms = {"/ws": alice, "/ws/": alice, "/ws/42": alice, "/ws_redis/client/42": alice, "/ws/group/7": others}
    generated = set()
    for path, listener in forms.items():
        collected(page, f"{served.websocket_url}{path}?{with_key('web')}")
        until(page, "socket.readyState === 1")
        page.evaluate('socket.send(\'{"msg":"hi"}\')')
        from_id = hear(listener, msg="hi")["from_id"]
        assert from_id == "v2-42" or path in ("/ws", "/ws/", "/ws/group/7")
        generated.add(from_id)
        page.evaluate("socket.close(1000)")
    assert len(generated - {"v2-42"}) == 1  # one for as long as the page is there


LOOKS = """async (url) => {
  const socket = new WebSocket(url);
  const order = [];
  const thrown = (act) => { try { act(); } catch (error) { return error.name; } };
  const early = [socket.readyState, thrown(() => socket.send("x")), socket.onopen, socket.bufferedAmount];
  socket.addEventListener("open", () => order.push("first"));
  socket.onopen = function (event) { order.push(this === socket && event.target === socket); };
  socket.addEventListener("open", { handleEvent: () => order.push("last") });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  socket.onopen = "nothing";
  const said = new Promise((resolve) => { socket.onmessage = resolve; });
  socket.binaryType = "arraybuffer";
  socket.binaryType = "rubbish";
  socket.send("{}");
  const { data, origin } = await said;
  const ended = new Promise((resolve) => { socket.onclose = resolve; });
  const wrong = [thrown(() => socket.close(1001)), thrown(() => socket.close(3000, "x".repeat(200)))];
  socket.close(3000, "enough");
  const closing = socket.readyState;
  const { code, reason, wasClean } = await ended;
  socket.send("into the void");
  return {
    early, order, wrong, closing, data: JSON.parse(data).type, origin, code, reason, wasClean,
    is: [socket instanceof WebSocket, socket instanceof EventTarget, Object.prototype.toString.call(socket),
      socket.constructor === WebSocket, WebSocket.name, {} instanceof WebSocket],
    constants: [WebSocket.CONNECTING, WebSocket.OPEN, socket.CLOSING, WebSocket.CLOSED],
    attributes: [socket.url, socket.protocol, socket.extensions, socket.binaryType, socket.onopen],
    state: socket.readyState,
    calls: [thrown(() => WebSocket(url)), thrown(() => new WebSocket("http://["))],
  };
}"""
"""What a page sees of its socket from first to last, as a function of the address that it opens."""


def test_the_look_alike_is_a_websocket(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    page = blank(visitor, served)
    url = f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}"
    looks = page.evaluate(LOOKS, url)
    assert looks == {
        "early": [0, "InvalidStateError", None, 0],
        "order": ["first", True, "last"],
        "wrong": ["InvalidAccessError", "SyntaxError"],
        "closing": 2,
        "data": "msg",
        "origin": served.websocket_url,
        "code": 3000,
        "reason": "enough",
        "wasClean": True,
        "is": [True, True, "[object WebSocket]", True, "WebSocket", False],
        "constants": [0, 1, 2, 3],
        "attributes": [url, "", "", "arraybuffer", None],
        "state": 3,
        "calls": ["TypeError", "SyntaxError"],
    }


def test_binary_and_blobs_are_text_in_their_order(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + CONFIG)
    alice = v3(served, "alice", "g")
    page = blank(visitor, served)
    told = collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate(
        """() => {
          const bytes = (text) => new TextEncoder().encode(text);
          socket.send(bytes('{"msg":"1"}').buffer);
          socket.send(new DataView(bytes('x{"msg":"2"}').buffer, 1));
          socket.send(new Blob(['{"msg":', '"3"}']));
          socket.send('{"msg":"4"}');
          socket.send("half \\ud800 of a pair");
          socket.send(5);
        }"""
    )
    texts = [hear(alice) for _ in range(6)]
    assert [text.get("msg") for text in texts] == ["1", "2", "3", "4", "half � of a pair", None]
    assert texts[-1]["payload"]["value"] == 5

    page.evaluate("socket.send(new Uint8Array([255, 254]))")
    until(page, "told.at(-1)[0] === 'close'")
    assert told()[-1] == ["close", 1003]
    assert json.loads(told()[-2][1])["bridge"]["error"] == "binary_not_supported"


def test_a_class_may_extend_it_and_other_addresses_are_left_alone(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=CONFIG)
    page = blank(visitor, served)
    extended = page.evaluate(
        """async ([v2, other]) => {
          class Chatty extends WebSocket {
            send(data) { super.send(JSON.stringify(data)); }
            get isReady() { return this.readyState === WebSocket.OPEN; }
          }
          const Native = AetherV2Shim.NativeWebSocket;
          const results = [];
          for (const url of [v2, other]) {
            const socket = new Chatty(url);
            await new Promise((resolve) => { socket.onopen = resolve; });
            const said = new Promise((resolve) => { socket.onmessage = resolve; });
            socket.send({ msg_type: "heartbeat", target: "echo", msg: "hi" });
            const isHeard = (await said).data.includes("hi");
            results.push([isHeard, socket.isReady, socket instanceof Chatty, socket instanceof WebSocket]);
            socket.close();
          }
          const plain = new WebSocket(other);
          plain.close();
          const isNative = Object.getPrototypeOf(plain) === Native.prototype;
          return [...results, [isNative, plain instanceof WebSocket, plain instanceof Chatty]];
        }""",
        [
            f"{served.websocket_url}/ws/42?{with_key('web')}",
            f"{served.websocket_url}/v3/ws/group/g/client/c?{with_key('web')}",
        ],
    )
    assert extended == [[True, True, True, True], [True, True, True, True], [True, True, False]]


def test_a_dialect_another_bridge_and_chosen_hosts_stand_in_the_line(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + CONFIG + 'dialect.reload = { cmd = "RELOAD_UI" }\n')
    attributes = f"""data-bridge="{served.url}" data-hosts="old.example.com, older.example.com:81"
      data-dialect='{{"reload":{{"cmd":"RELOAD_UI"}}}}'"""
    page = blank(visitor, served, attributes)
    alice = v3(served, "alice", "g")
    told = collected(page, f"wss://old.example.com/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate("""socket.send('{"reload":true}')""")
    heard = hear(alice)
    assert (heard["msg_type"], heard["cmd"], heard["payload"]) == ("cmd", "RELOAD_UI", {"value": True})
    alice.send('{"msg_type":"cmd","target":"group","cmd":"RELOAD_UI","payload":{"value":"all"}}')
    until(page, "told.length === 3")
    assert json.loads(told()[-1][1])["reload"] == "all"

    told = collected(page, f"{served.websocket_url}/ws/42?{with_key('web')}")  # a host that was not chosen
    until(page, "told.at(-1)?.[0] === 'close'")
    assert told()[-1] == ["close", 4410]


def test_many_direct_messages_are_all_heard_by_both(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + LIMITED)
    page = blank(visitor, served)
    bob = v3(served, "v2-43", "g")
    collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    say = "for (let n = 0; n < 150; n += 1) socket.send(JSON.stringify({ to: 43, n }))"
    page.evaluate(f"() => {{ {say}; }}")
    assert [hear(bob)["payload"]["n"] for _ in range(150)] == list(range(150))
    until(page, "told.length === 151")
    heard = page.evaluate("told.filter(([type]) => type === 'message').map(([, data]) => JSON.parse(data).n)")
    assert heard == list(range(150))

    page.evaluate(f"() => {{ {say}; socket.close(); }}")
    assert [hear(bob)["payload"]["n"] for _ in range(150)] == list(range(150))


def test_a_page_that_says_too_much_is_told_so_and_nothing_is_lost_unseen(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=f"{QUIET}messages_per_second = 500\nburst = 20\n{LIMITED}")
    page = blank(visitor, served)
    collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate("() => { for (let n = 0; n < 1100; n += 1) socket.send(JSON.stringify({ n })); }")
    count = "(one) => told.filter(([, data]) => (data ?? '').includes?.(one)).length"
    until(page, f"(({count})('\"n\"') + ({count})('rate_limited')) === 1100")
    assert page.evaluate(f"({count})('rate_limited')") <= 100


def test_what_arrives_late_and_all_at_once_is_not_too_much(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=f"{QUIET}messages_per_second = 200\nburst = 20\n{LIMITED}")
    visitor.site.add("/late", f"<!doctype html><head><script>{LATE}</script>{script_line(served, '')}</head>")
    page = visitor.open("/late")
    collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate("() => { for (let n = 0; n < 60; n += 1) socket.send(JSON.stringify({ n })); }")
    until(page, "told.filter(([, data]) => (data ?? '').includes?.('client_id')).length === 60")
    assert page.evaluate("told.filter(([, data]) => (data ?? '').includes?.('rate_limited')).length") == 0


def test_the_dialect_comes_from_the_bridge(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + CONFIG + 'dialect.reload = { cmd = "RELOAD_UI" }\n')
    page = blank(visitor, served)
    alice = v3(served, "alice", "g")
    told = collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate("""socket.send('{"reload":true}')""")
    heard = hear(alice)
    assert (heard["msg_type"], heard["cmd"], heard["payload"]) == ("cmd", "RELOAD_UI", {"value": True})
    alice.send('{"msg_type":"cmd","target":"group","cmd":"RELOAD_UI","payload":{"value":"all"}}')
    until(page, "told.length === 3")
    assert json.loads(told()[-1][1])["reload"] == "all"


@pytest.mark.parametrize(
    ("written", "warnings"), [('{"refresh":{"cmd":"RELOAD_UI"}}', 1), ('{"reload":{"cmd":"RELOAD_UI"}}', 0)]
)
def test_another_dialect_in_the_line_goes_first_and_is_told(
    bridge: StartBridge,
    visitor: Visitor,
    v3: Callable[..., ClientConnection],
    written: str,
    warnings: int,
) -> None:
    served = bridge(config=QUIET + CONFIG + 'dialect.reload = { cmd = "RELOAD_UI" }\n')
    said: list[str] = []
    page = blank(visitor, served, f"data-dialect='{written}'")
    page.on("console", lambda message: said.append(message.text))
    alice = v3(served, "alice", "g")
    collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate("(word) => socket.send(JSON.stringify({ [word]: 1 }))", next(iter(json.loads(written))))
    assert hear(alice)["cmd"] == "RELOAD_UI"
    assert sum("data-dialect" in text for text in said) == warnings


def test_others_are_called_by_the_ids_that_v2_knows(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + OPERATED)
    order(served, "ids", {"ids": {"43": "Xk3dQ", "red": "Zz9"}})
    page = blank(visitor, served)
    told = collected(page, f"{served.websocket_url}/ws/group/red/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    mapped, alice = v3(served, "Xk3dQ", "Zz9"), v3(served, "alice", "Zz9")
    mapped.send('{"msg_type":"msg","target":"group","msg":"1"}')
    assert hear(alice)["msg"] == "1"
    alice.send('{"msg_type":"msg","target":"group","msg":"2"}')
    mapped.send('{"msg_type":"msg","target":"direct","to_id":"v2-42","msg":"3"}')
    until(page, "told.length === 4")
    heard = [json.loads(data) for _type, data in told()[1:]]
    assert [(one["msg"], one["client_id"], one["group_id"]) for one in heard] == [
        *(("1", 43, "red"), ("2", "alice", "red"), ("3", 43, "red")),
    ]
    page.evaluate("""socket.send('{"msg":"psst","to":43}')""")
    assert hear(mapped, msg="psst")["to_id"] == "Xk3dQ"


WRAPPED: Final = {
    "a class": "window.WebSocket = class extends WebSocket {};",
    "a function": "const Own = WebSocket; window.WebSocket = function (...given) { return new Own(...given); };",
    "a function like New Relic's": """const Own = WebSocket;
      function Wrapped() {
        const socket = arguments.length > 1 ? new Own(arguments[0], arguments[1]) : new Own(arguments[0]);
        const { send } = socket;
        socket.send = function () { window.counted = (window.counted ?? 0) + 1; return send.apply(this, arguments); };
        return socket;
      }
      Wrapped.prototype = Own.prototype;
      Object.assign(Wrapped, Own, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
      window.WebSocket = Wrapped;""",
    "a proxy": "window.WebSocket = new Proxy(WebSocket, { construct: (own, given) => new own(...given) });",
    "constants alone": """const Own = WebSocket;
      window.WebSocket = Object.assign(function (...given) { return new Own(...given); }, { OPEN: 1 });""",
    "a getter": """const Own = WebSocket; let now = class extends Own {};
      const get = () => now, set = (it) => { now = it; };
      Object.defineProperty(window, "WebSocket", { get, set, configurable: false });""",
    "no prototype": "const Own = WebSocket; window.WebSocket = (function (url) { return new Own(url); }).bind(null);",
    "no event target": """const Own = WebSocket;
      window.WebSocket = function (url) {
        const own = new Own(url);
        const types = ["open", "message", "error", "close"].map((type) => "on" + type);
        for (const type of types) own[type] = (event) => this[type]?.(event);
        this.send = (data) => own.send(data);
        this.close = (...given) => own.close(...given);
        Object.defineProperty(this, "readyState", { get: () => own.readyState });
        Object.defineProperty(this, "binaryType", { set: (type) => { own.binaryType = type; } });
        Object.assign(this, { protocol: "", extensions: "", bufferedAmount: 0 });
      };""",
}


@pytest.mark.parametrize("wrapping", WRAPPED.values(), ids=WRAPPED)
def test_whatever_wrapped_websocket_before_the_page_speaks_v3(
    bridge: StartBridge, visitor: Visitor, wrapping: str
) -> None:
    served = bridge(config=CONFIG)
    visitor.site.add("/wrapped", f"<!doctype html><head><script>{{{wrapping}}}</script>{script_line(served)}</head>")
    page = visitor.open("/wrapped")
    told = collected(page, f"{served.websocket_url}/ws/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    page.evaluate("""socket.send('{"msg":"hi"}')""")
    until(page, "told.length === 2")
    assert json.loads(told()[-1][1])["msg"] == "hi"
    assert page.evaluate("[socket instanceof WebSocket, {} instanceof WebSocket]") == [True, False]
    page.evaluate("(url) => { window.other = new WebSocket(url); }", f"{served.websocket_url}/v3/ws/group/g/client/c")
    until(page, "other.readyState > 0")
    assert visitor.errors == []


WORKER: Final = """([bridge, hosts, url]) => new Promise((resolve) => {
  const work = `self.aetherV2Shim = { hosts: ${JSON.stringify(hosts)} };
    importScripts(${JSON.stringify(bridge)} + "/client/v2-shim.js");
    const socket = new WebSocket(${JSON.stringify(url)});
    socket.onopen = () => socket.send('{"msg":"hi"}');
    socket.onmessage = ({ data }) => postMessage(data);`;
  new Worker(URL.createObjectURL(new Blob([work]))).onmessage = ({ data }) => resolve(data);
})"""


def test_in_a_worker_it_is_loaded_as_the_guide_says(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    page = visitor.open()
    address = f"{served.websocket_url}/ws/42?{with_key('web')}"
    heard = page.evaluate(WORKER, [served.url, served.url.removeprefix("http://"), address])
    assert json.loads(heard)["client_id"] == 42


FIXED: Final = {
    "frozen": "Object.defineProperty(window, 'WebSocket', { value: class extends WebSocket {}, writable: false });"
    "Object.defineProperty(window, 'WebSocket', { configurable: false });",
    "a getter alone": "const own = WebSocket;"
    "Object.defineProperty(window, 'WebSocket', { get: () => own, configurable: false });",
}


@pytest.mark.parametrize("fixing", FIXED.values(), ids=FIXED)
def test_where_websocket_is_fixed_it_says_so_and_does_nothing(
    bridge: StartBridge, visitor: Visitor, fixing: str
) -> None:
    served = bridge(config=CONFIG.replace('"v3"', '"bridge"'))
    said: list[str] = []
    visitor.site.add("/fixed", f"<!doctype html><head><script>{{{fixing}}}</script>{script_line(served)}</head>")
    page = visitor.open()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{visitor.site.url}/fixed")
    assert "cannot be replaced" in said[0]
    assert page.evaluate("typeof AetherV2Shim") == "undefined"
    collected(page, f"{served.websocket_url}/ws/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    assert visitor.errors == []


def keep_address(opened: list[str], socket: WebSocket) -> None:
    opened.append(socket.url)


def test_other_peoples_sockets_are_left_alone_and_get_no_credentials(bridge: StartBridge, visitor: Visitor) -> None:
    served, other = bridge(config=CONFIG), bridge(config=CONFIG.replace('"v3"', '"bridge"'))
    addresses = [f"{other.websocket_url}/ws/42?{with_key('web')}", "wss://stream.example.invalid/ws/btcusdt?key=secret"]
    for attributes in ("", f'data-bridge="{served.url}"'):
        page = blank(visitor, served, attributes)
        opened: list[str] = []
        page.on("websocket", partial(keep_address, opened))
        page.evaluate("(urls) => { window.others = urls.map((url) => new WebSocket(url)); }", addresses)
        until(page, "others[0].readyState === 1")
        assert page.evaluate("others.every((one) => one.constructor === AetherV2Shim.NativeWebSocket)")
        assert opened == addresses


def test_a_line_that_cannot_be_read_is_told_on_the_console(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG)
    said: list[str] = []
    wrong = script_line(served, "data-dialect='{}}'")
    visitor.site.add("/wrong", f"<!doctype html><head>{wrong}</head>")
    page = visitor.open()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{visitor.site.url}/wrong")
    assert page.evaluate("WebSocket !== AetherV2Shim.NativeWebSocket")
    assert said[0].startswith("v2-shim.js: ")


def test_a_page_of_a_tenant_with_an_id_map_knows_itself(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection], tmp_path: Any
) -> None:
    served = bridge(config=QUIET + OPERATED)
    order(served, "ids", {"ids": {"42": "Xk3dQ"}})
    page = blank(visitor, served)
    told = collected(page, f"{served.websocket_url}/ws/group/g/client/42?{with_key('web')}")
    until(page, "socket.readyState === 1")
    alice = v3(served, "alice", "g")
    page.evaluate("""socket.send('{"msg":"hi"}')""")
    assert hear(alice)["from_id"] == "Xk3dQ"
    until(page, "told.length === 2")
    assert json.loads(told()[-1][1])["client_id"] == 42


def order(served: BridgeProcess, what: str, body: dict[str, Any]) -> None:
    """What an administrator orders."""
    address, headers = f"{served.url}/admin/api/tenants/acme/{what}", {"Authorization": f"Bearer {api_key('operator')}"}
    answer = httpx.put(address, headers=headers, json=body)
    assert answer.status_code == 200, answer.text


def test_a_page_that_may_not_broadcast_speaks_to_its_group(
    bridge: StartBridge, visitor: Visitor, v3: Callable[..., ClientConnection]
) -> None:
    served = bridge(config=QUIET + CONFIG)
    alice = v3(served, "alice")
    ann = chat(visitor, served, "42", with_key("muted"))
    for text in ("one", "two"):
        ann.evaluate("(text) => send({ type: 'chat', user: ME, text, target: 'broadcast' })", text)
    assert [hear(alice, msg_type="msg")["msg"] for _ in range(2)] == ["one", "two"]
    expect(lines(ann, "chat")).to_have_text(["42: one", "42: two"])
    assert ann.evaluate("frames.at(-1).target") == "broadcast"
    expect(lines(ann, "bridge")).to_have_count(0)


def test_while_the_tenant_is_on_v2_the_page_speaks_it_and_moves_along(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=OPERATED.replace('stage = "v3"', 'stage = "legacy"'))
    ann = chat(visitor, served, "42")
    with connect(f"{served.websocket_url}/ws/group/other/client/7?{with_key('web')}") as v2:
        v2.send('{"type": "chat",  "user": "7", "text": "verbatim"}')
        expect(lines(ann, "chat")).to_have_text("7: verbatim")
        assert ann.evaluate("raw.at(-1)") == '{"type": "chat",  "user": "7", "text": "verbatim"}'
        order(served, "stage", {"stage": "v3", "confirm": "acme"})
        expect(ann.locator("#status")).to_have_text("closed 1012 clean")
        expect(ann.locator("#status")).to_have_text("online")
        ann.evaluate("send({ type: 'chat', user: ME, text: 'on V3' })")
        expect(lines(ann, "chat")).to_have_text(["7: verbatim", "42: on V3"])


def test_the_tokens_end_is_told_to_the_page(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=CONFIG + "[jwt]\n", environment={"BRIDGE_JWT_SECRET": SECRET})
    soon = token(account_id="acme", exp=int(time.time()) + 2)
    page = blank(visitor, served)
    told = collected(page, f"{served.websocket_url}/ws/42?{with_key('web')}&jwt={soon}")
    until(page, "told.at(-1)?.[0] === 'close'")
    [opened, error, closed] = told()
    assert (opened[0], json.loads(error[1])["bridge"]["error"], closed) == ("open", "token_expired", ["close", 4401])
