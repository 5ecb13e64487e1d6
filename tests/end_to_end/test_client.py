"""`/client/aether.js` in a real Chromium, loaded by a page of another origin, on running bridges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import httpx
import pytest
from playwright.sync_api import Browser, Page
from websockets.sync.client import connect

from bridge.api.client_files import FOLDER
from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.aether_pages import LOAD, connected, started, states, until
from tests.end_to_end.browsing import Visitor
from tests.end_to_end.configuration import QUIET, SECRET, api_key, key, token
from tests.end_to_end.socketio_server import SocketIoServer
from tests.servers import BridgeProcess

NO_WEBSOCKET: Final = "delete window.WebSocket"
FAILING_WEBSOCKET: Final = """window.tried = 0;
window.WebSocket = class extends EventTarget {
  constructor() {
    super();
    window.tried += 1;
    setTimeout(() => this.dispatchEvent(Object.assign(new Event("close"), { code: 1006, reason: "" })));
  }
  close() {}
};"""


SLOW_WEBSOCKET: Final = """window.WebSocket = class extends WebSocket {
  send(text) {
    const [before, milliseconds] = [this.sent ?? Promise.resolve(), text.length / 1000];
    this.sent = before.then(() => new Promise((resolve) => setTimeout(resolve, milliseconds)));
    this.sent.then(() => super.send(text));
  }
};"""


@pytest.fixture
def socketio_server() -> Iterator[SocketIoServer]:
    with SocketIoServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def lone_page(browser: Browser) -> Iterator[Page]:
    """A page that has the rule of coming back, and nothing else."""
    page = browser.new_page()
    page.add_script_tag(content=(FOLDER / "aether" / "return.js").read_text().replace("export ", ""))
    yield page
    page.close()


def test_messages_come_as_events_of_their_type(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    ann = connected(visitor, served.url)
    bob = connected(visitor, served.url, client_id="bob")
    until(ann, "heard.join.some(({ payload }) => payload.client_id === 'bob')")

    assert bob.evaluate("client.say('hi', { colour: 'red' })") == "sent"
    bob.evaluate("client.command('RELOAD_UI', { force: true })")
    bob.evaluate("client.direct('ann', 'psst')")
    bob.evaluate("client.broadcast({ cmd: 'LOOK' })")
    until(ann, "heard.cmd.length === 2")
    [said, direct] = ann.evaluate("heard.msg")
    assert (said["msg"], said["payload"], said["from_id"], said["version"]) == ("hi", {"colour": "red"}, "bob", "3")
    assert (direct["msg"], direct["target"]) == ("psst", "direct")
    assert [message["cmd"] for message in ann.evaluate("heard.cmd")] == ["RELOAD_UI", "LOOK"]
    assert bob.evaluate("heard.msg.length") == 1

    bob.evaluate("client.direct('nobody', { cmd: 'X' })")
    until(bob, "heard.error.length === 1")
    [refusal] = bob.evaluate("heard.error")
    assert refusal["payload"]["code"] == "not_connected"
    assert bob.evaluate("heard.cmd.every(({ cmd }) => cmd !== 'ERROR')")

    bob.evaluate("client.close()")
    until(ann, "heard.leave.some(({ payload }) => payload.client_id === 'bob')")
    assert states(bob)[-1] == "closed"


def test_a_round_trip_is_measured_and_members_are_told(bridge: StartBridge, visitor: Visitor) -> None:
    ann = connected(visitor, bridge().url)
    assert 0 < ann.evaluate("client.echo()") < 5_000
    [member] = ann.evaluate("client.members()")
    assert (member["client_id"], member["protocol"]) == ("ann", "v3")
    assert ann.evaluate("client.transport") == "websocket"


def test_heartbeats_are_sent_by_themselves(bridge: StartBridge, visitor: Visitor) -> None:
    ann = connected(visitor, bridge().url, heartbeatSeconds=0.1)
    until(ann, "heard.heartbeat.length >= 3")


def test_it_comes_back_after_a_restart_as_the_bridge_asked(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    ann = connected(visitor, served.url)
    assert served.terminate() == 0
    until(ann, "client.state !== 'open'")
    [gone] = [change for change in ann.evaluate("heard.state") if change["state"] == "waiting"][:1]
    asked = ann.evaluate("heard.error.at(-1).payload.retry_after_ms")
    assert gone["code"] == 1012
    assert asked <= gone["pauseMilliseconds"] <= asked + 100
    assert ann.evaluate("client.say('said while it was away')") == "queued"

    served.start()
    until(ann, "client.state === 'open' && heard.msg.length === 1")
    assert ann.evaluate("heard.msg[0].msg") == "said while it was away"


def test_it_comes_back_after_a_crash_with_growing_pauses(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    ann = connected(visitor, served.url, transports=["websocket"])
    served.kill()
    until(ann, "heard.state.filter(({ state }) => state === 'waiting').length >= 4")
    pauses = [change["pauseMilliseconds"] for change in ann.evaluate("heard.state") if change["state"] == "waiting"]
    for longest, pause in zip((100, 200, 400, 400), pauses, strict=False):
        assert longest / 2 <= pause <= longest
    served.start()
    until(ann, "client.state === 'open'")


def test_a_bridge_that_does_not_answer_is_left(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    ann = connected(visitor, served.url, heartbeatSeconds=0.2, answerSeconds=0.5, transports=["websocket"])
    served.freeze()
    until(ann, "client.state === 'waiting'")
    assert "no answer" in ann.evaluate("heard.state.find(({ state }) => state === 'waiting').reason")
    served.thaw()
    until(ann, "client.state === 'open'")


def test_it_does_not_come_back_unchanged(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=key("web", "acme") + "[tenants.acme]\n")
    ann = started(visitor, served.url, api_key="wrong")
    until(ann, "client.state === 'closed'")
    end = ann.evaluate("heard.state.at(-1)")
    assert (end["state"], end["code"], end["reason"]) == ("closed", 4401, "unauthenticated")
    assert ann.evaluate("heard.error[0].payload.code") == "unauthenticated"
    assert ann.evaluate("client.say('hello?')") == "dropped"
    assert ann.evaluate("heard.dropped") == [
        {"message": {"msg_type": "msg", "target": "group", "msg": "hello?"}, "reason": "closed"}
    ]
    time.sleep(0.6)  # longer than its longest pause: there is no event of not coming back
    assert states(ann).count("connecting") == 0  # but for the first, that was before anybody listened


def test_a_new_token_is_fetched_where_the_old_one_is_refused(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=key("web", "acme") + "[tenants.acme]\n[jwt]\n", environment={"BRIDGE_JWT_SECRET": SECRET})
    old, new = token(account_id="acme", exp=int(time.time()) - 60), token(account_id="acme")
    ann = connected(visitor, served.url, api_key=api_key("web"), tokens=[old, new])
    assert ann.evaluate("asked") == 2

    bob = connected(visitor, served.url, api_key=api_key("web"), tokens=[old, old, old, new])  # a cache that is behind
    assert bob.evaluate("asked") == 4
    assert bob.evaluate("heard.error.length") <= 1  # with a token that was refused nobody comes again
    pauses = [change["pauseMilliseconds"] for change in bob.evaluate("heard.state") if change["state"] == "waiting"]
    assert pauses[0] == 0
    assert min(pauses[1:]) >= 50


TOKENS_THAT_DO_NOT_COME: Final = {
    "never": "() => new Promise(() => {})",
    "thrown": "() => { throw new Error('no token'); }",
    "rejected": "() => Promise.reject(new Error('no token'))",
    "no text": "() => ({ token: '…' })",
}


@pytest.mark.parametrize("jwt", TOKENS_THAT_DO_NOT_COME.values(), ids=TOKENS_THAT_DO_NOT_COME)
def test_a_token_that_does_not_come_is_asked_for_again(bridge: StartBridge, visitor: Visitor, jwt: str) -> None:
    ann = visitor.open()
    ann.evaluate(f"() => {{ window.tokenOnce = {jwt}; }}")
    ann.evaluate(
        LOAD.replace("window.client =", "options.jwt = () => (asked++ ? undefined : tokenOnce()); window.client ="),
        [bridge().url, {"answerSeconds": 0.3}],
    )
    until(ann, "client.state === 'open'")
    assert ann.evaluate("asked") == 2
    assert "token" in ann.evaluate("heard.state.find(({ state }) => state === 'waiting').reason")


def test_what_is_said_before_it_is_open_is_all_heard_in_its_order(bridge: StartBridge, visitor: Visitor) -> None:
    ann = visitor.open()
    said = "for (let at = 0; at < 256; at += 1) outcomes.push(client.say(`line ${at}`)); "
    ann.evaluate(LOAD.replace("for (const type", f"window.outcomes = []; {said} for (const type"), [bridge().url, {}])
    assert ann.evaluate("[...new Set(outcomes)]") == ["queued"]
    until(ann, "heard.msg.length === 256")
    assert ann.evaluate("heard.msg.every(({ msg }, at) => msg === `line ${at}`)")
    assert ann.evaluate("[heard.error.length, heard.dropped.length]") == [0, 0]


def test_it_keeps_within_the_limits_of_its_bridge(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config="messages_per_second = 20\nburst = 10\nmax_message_bytes = 1000\n")
    ann = connected(visitor, served.url)
    assert ann.evaluate("client.say('x'.repeat(1000))") == "dropped"
    for number in range(40):
        ann.evaluate("(number) => client.say(`line ${number}`)", number)
    until(ann, "heard.msg.length === 40")
    assert ann.evaluate("heard.error.length") == 0
    assert ann.evaluate("heard.dropped.map(({ reason }) => reason)") == ["too_big"]


@pytest.mark.parametrize("text", ["x" * 70_000, "é" * 40_000, "\\" * 40_000], ids=["ascii", "utf-8", "escaped"])
def test_what_is_too_big_is_dropped_and_nothing_behind_it(bridge: StartBridge, visitor: Visitor, text: str) -> None:
    ann = connected(visitor, bridge().url)
    assert ann.evaluate("(text) => ['one', text, 'two'].map((said) => client.say(said))", text) == [
        *("sent", "dropped", "sent"),
    ]
    until(ann, "heard.msg.length === 2")
    assert [message["msg"] for message in ann.evaluate("heard.msg")] == ["one", "two"]
    [dropped] = ann.evaluate("heard.dropped")
    assert (dropped["reason"], dropped["message"]["msg"]) == ("too_big", text)
    assert ann.evaluate("client.state") == "open"


@pytest.mark.parametrize(
    "event",
    [
        "dispatchEvent(new Event('online'))",
        "dispatchEvent(new Event('offline'))",
        "document.dispatchEvent(new Event('visibilitychange'))",
        "navigator.connection.dispatchEvent(new Event('change'))",
    ],
    ids=["online", "offline", "visible", "connection"],
)
def test_another_network_is_noticed_at_once_and_what_is_unconfirmed_is_told(
    bridge: StartBridge, visitor: Visitor, event: str
) -> None:
    served = bridge()
    ann = connected(visitor, served.url, answerSeconds=1.5, transports=["websocket"])
    served.freeze()
    assert ann.evaluate("['one', 'two'].map((text) => client.say(text))") == ["sent", "sent"]
    ann.evaluate(f"() => {{ {event}; }}")
    until(ann, "client.state === 'waiting'")
    dropped = ann.evaluate("heard.dropped.map(({ message, reason }) => [message.msg, reason])")
    assert dropped == [["one", "unconfirmed"], ["two", "unconfirmed"]]
    served.thaw()
    until(ann, "client.state === 'open'")


def test_what_is_confirmed_is_not_told_as_dropped_and_its_echo_is_nobodys(
    bridge: StartBridge, visitor: Visitor
) -> None:
    served = bridge()
    ann = connected(visitor, served.url)
    ann.evaluate("client.say('one')")
    ann.wait_for_timeout(1_300)  # it is confirmed after a second; nothing tells so
    served.kill()
    until(ann, "client.state !== 'open'")
    assert ann.evaluate("heard.dropped") == []
    assert ann.evaluate("heard.msg.length") == 1


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("end", ["client.close()", "dispatchEvent(new Event('pagehide'))"], ids=["close", "pagehide"])
def test_what_was_said_before_the_end_is_heard(bridge: StartBridge, visitor: Visitor, transport: str, end: str) -> None:
    served = bridge("--socketio")
    bob = connected(visitor, served.url, client_id="bob")
    ann = connected(visitor, served.url, transports=[transport])
    for texts in (["a"], ["b", "c", "d"]):
        ann.evaluate("(texts) => { for (const text of texts) client.say(text); }", texts)
    ann.evaluate(f"() => {{ client.say('e'); client.say('f'); {end}; }}")
    until(bob, "heard.leave.some(({ payload }) => payload.client_id === 'ann')")
    until(bob, "heard.msg.length === 6")
    assert [message["msg"] for message in bob.evaluate("heard.msg")] == list("abcdef")
    assert ann.evaluate("heard.dropped") == []


def test_what_was_said_by_a_page_that_polls_is_heard_when_it_is_left(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge("--socketio")
    bob = connected(visitor, served.url, client_id="bob")
    ann = connected(visitor, served.url, transports=["polling"])
    ann.evaluate("() => { for (const text of ['a', 'b', 'c']) client.say(text); location.href = '/elsewhere'; }")
    until(bob, "heard.msg.length === 3")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_what_a_page_says_at_its_end_is_heard(bridge: StartBridge, visitor: Visitor, transport: str) -> None:
    """More than may be on its way at once, and from a listener of the page that was added after the client's own."""
    served = bridge("--socketio")
    bob = connected(visitor, served.url, client_id="bob")
    ann = connected(visitor, served.url, transports=[transport])
    ann.evaluate("() => addEventListener('pagehide', () => client.say('farewell'))")
    ann.evaluate(
        "() => { for (let at = 0; at < 120; at += 1) client.say(`line ${at}`); location.href = '/elsewhere'; }"
    )
    until(bob, "heard.msg.length === 121")
    assert bob.evaluate("heard.msg.every(({ msg }, at) => msg === (at < 120 ? `line ${at}` : 'farewell'))")


@pytest.mark.parametrize("count", [1, 60])
def test_what_was_said_by_who_polls_and_closes_is_heard(bridge: StartBridge, visitor: Visitor, count: int) -> None:
    served = bridge("--socketio")
    bob = connected(visitor, served.url, client_id="bob")
    for number in range(1, 6):
        ann = connected(visitor, served.url, transports=["polling"])
        ann.evaluate("(count) => { for (let at = 0; at < count; at += 1) client.say(`${at}`); client.close(); }", count)
        until(bob, f"heard.msg.length === {count * number}")
        assert ann.evaluate("heard.dropped") == []


def test_a_client_that_is_closed_when_something_is_dropped_stays_closed(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    ann = connected(visitor, served.url, answerSeconds=0.5, transports=["websocket"])
    ann.evaluate("() => { client.on('dropped', () => client.close()); }")
    served.freeze()
    ann.evaluate("() => { client.say('one'); }")
    until(ann, "heard.dropped.length === 1")
    served.thaw()
    ann.wait_for_timeout(1_000)  # it would be back after 0.1 s
    assert (ann.evaluate("client.state"), states(ann)[-1]) == ("closed", "closed")


@pytest.mark.parametrize(("burst", "rate"), [(1, 2), (2, 4), (3, 4)])
def test_it_keeps_within_the_tightest_limits(bridge: StartBridge, visitor: Visitor, burst: int, rate: int) -> None:
    ann = started(visitor, bridge(config=f"messages_per_second = {rate}\nburst = {burst}\n").url)
    ann.evaluate("() => { for (let at = 0; at < 3; at += 1) client.say(`line ${at}`); }")
    until(ann, "heard.msg.length === 3")
    assert ann.evaluate("[heard.error.length, heard.dropped.length]") == [0, 0]


def test_a_slow_line_is_not_taken_for_a_lost_one(bridge: StartBridge, visitor: Visitor) -> None:
    """No answer comes through behind two megabytes in time, so no more is on its way than does."""
    ann = connected(visitor, bridge().url, before=(SLOW_WEBSOCKET,), answerSeconds=1, transports=["websocket"])
    ann.evaluate("() => { for (let at = 0; at < 40; at += 1) client.say('x'.repeat(50_000)); }")
    until(ann, "heard.msg.length === 40")
    assert states(ann) == ["open"]
    assert ann.evaluate("heard.dropped.length") == 0


def test_a_page_that_is_shown_again_comes_back(bridge: StartBridge, visitor: Visitor) -> None:
    ann = connected(visitor, bridge().url)
    ann.evaluate("dispatchEvent(new Event('pagehide'))")
    assert ann.evaluate("client.state") == "waiting"
    assert ann.evaluate("client.say('later')") == "queued"
    ann.evaluate("dispatchEvent(new Event('pageshow'))")
    until(ann, "client.state === 'open' && heard.msg.length === 1")


def test_a_poll_waits_for_an_answer_as_long_as_it_was_told(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge("--socketio")
    ann = visitor.open()
    script = httpx.get(f"{served.url}/client/aether.js").text
    served.freeze()
    ann.evaluate("(script) => { window.script = `data:text/javascript,${encodeURIComponent(script)}`; }", script)
    options = {"answerSeconds": 0.4, "transports": ["polling"]}
    ann.evaluate(LOAD.replace('bridge + "/client/aether.js"', "window.script"), [served.url, options])
    until(ann, "heard.state.filter(({ reason }) => reason === 'not open in 0.4 s').length >= 2")
    served.thaw()
    until(ann, "client.state === 'open'")


def test_the_queue_is_bounded_and_says_what_it_dropped(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    ann = connected(visitor, served.url, maxQueued=2)
    served.kill()
    until(ann, "client.state !== 'open'")
    for text in ("one", "two", "three"):
        assert ann.evaluate("(text) => client.say(text)", text) == "queued"
    [dropped] = ann.evaluate("heard.dropped")
    assert (dropped["message"]["msg"], dropped["reason"]) == ("one", "queue_full")
    assert ann.evaluate("client.queued") == 2

    served.start()
    until(ann, "heard.msg.length === 2")
    assert [message["msg"] for message in ann.evaluate("heard.msg")] == ["two", "three"]


@pytest.mark.parametrize(
    ("code", "losses", "retry_after", "shortest", "longest"),
    [
        *((code, 1, None, None, None) for code in (4000, 4401, 4403, 4410, 4426, 4499)),
        *((code, 1, None, 250, 500) for code in (1000, 1001, 1005, 1006, 1009, 1011, 3000)),
        *((code, 1, None, 500, 1_000) for code in (1012, 4500, 4508, 4999)),
        *((1006, losses, None, 500 * 2**losses / 4, 500 * 2**losses / 2) for losses in (2, 3, 6)),
        *((code, losses, None, 15_000, 30_000) for code in (1006, 4508) for losses in (7, 50, 10_000)),
        *((1012, 9, asked, asked, asked + 250) for asked in (0, 1_500)),
    ],
)
def test_it_comes_back_by_the_close_codes_class(
    lone_page: Page, code: int, losses: int, retry_after: int | None, shortest: float | None, longest: float | None
) -> None:
    settings = {"firstPauseSeconds": 0.5, "longestPauseSeconds": 30}
    pause = lone_page.evaluate("(given) => pauseAfter(...given)", [code, losses, retry_after, settings])
    if shortest is None or longest is None:
        assert pause is None
    else:
        assert shortest <= pause <= longest


def test_a_gap_is_an_event(bridge: StartBridge, visitor: Visitor, redis_server: StartRedis) -> None:
    redis = redis_server()
    ann = connected(visitor, bridge(redis=redis.url).url)
    redis.restart()
    until(ann, "heard.gap.length >= 1")
    assert ann.evaluate("Object.keys(heard.gap[0].payload)") == ["from", "to"]
    assert ann.evaluate("client.state") == "open"


def test_a_front_end_on_v2_and_a_client_of_this_hear_each_other(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=QUIET)
    ann = connected(visitor, served.url)
    with connect(f"{served.websocket_url}/ws/group/team/client/42") as v2:
        v2.send('{"msg":"hi"}')
        until(ann, "heard.msg.length === 1")
        assert ann.evaluate("heard.msg[0].from_id") == "v2-42"


@pytest.mark.parametrize("blocked", [NO_WEBSOCKET, FAILING_WEBSOCKET], ids=["missing", "failing"])
def test_it_polls_where_websocket_is_blocked(
    bridge: StartBridge, visitor: Visitor, socketio_server: SocketIoServer, blocked: str
) -> None:
    ann = visitor.open(before=(blocked,))
    script = httpx.get(f"{bridge().url}/client/aether.js").text
    ann.evaluate(
        "(script) => { window.script = URL.createObjectURL(new Blob([script], { type: 'text/javascript' })); }", script
    )
    ann.evaluate(LOAD.replace('bridge + "/client/aether.js"', "window.script"), [socketio_server.url, {"api_key": "k"}])
    until(ann, "client.state === 'open'")

    assert ann.evaluate("client.transport") == "polling"
    assert ann.evaluate("window.tried ?? 2") == 2
    assert socketio_server.auth == {"api_key": "k", "group_id": "team", "client_id": "ann"}
    assert ann.evaluate("client.echo()") > 0
    for number in range(40):
        ann.evaluate("(number) => client.say(`line ${number}`)", number)
    until(ann, "heard.msg.length === 40")
    assert [message["msg"] for message in ann.evaluate("heard.msg")] == [f"line {number}" for number in range(40)]
    socketio_server.wait_for_pings(2)  # engine pings are answered, or the server would end the connection
    assert ann.evaluate("client.state") == "open"

    ann.evaluate("client.close()")
    socketio_server.wait_until_left()


def test_polling_is_refused_and_ended_like_a_websocket(
    bridge: StartBridge, visitor: Visitor, socketio_server: SocketIoServer
) -> None:
    served = bridge()
    socketio_server.refuses = "unauthenticated"
    ann = page_that_polls(visitor, served, socketio_server)
    until(ann, "client.state === 'closed'")
    assert ann.evaluate("heard.state.at(-1).code") == 4401
    assert ann.evaluate("heard.error[0].payload.code") == "unauthenticated"

    socketio_server.refuses = None
    bob = page_that_polls(visitor, served, socketio_server)
    until(bob, "client.state === 'open'")
    socketio_server.go_away(retry_after_ms=50)
    until(bob, "heard.state.some(({ state }) => state === 'waiting')")
    assert bob.evaluate("heard.state.find(({ state }) => state === 'waiting').code") == 1012
    until(bob, "client.state === 'open'")


def page_that_polls(visitor: Visitor, served: BridgeProcess, server: SocketIoServer) -> Page:
    page = visitor.open()
    options = {"transports": ["polling"], "url": server.url}
    page.evaluate(LOAD, [served.url, options])
    return page


@pytest.mark.parametrize("blocked", [NO_WEBSOCKET, FAILING_WEBSOCKET], ids=["there is none", "it never opens"])
def test_where_websocket_is_blocked_it_speaks_through_the_bridges_own_socketio(
    bridge: StartBridge, visitor: Visitor, blocked: str
) -> None:
    served = bridge("--socketio")
    ann = connected(visitor, served.url, (blocked,))
    bob = connected(visitor, served.url, client_id="bob")
    assert ann.evaluate("client.transport") == "polling"
    assert ann.evaluate("client.say('over a poll')") == "sent"
    until(bob, "heard.msg.some(({ msg }) => msg === 'over a poll')")
    bob.evaluate("client.direct('ann', 'psst')")
    until(ann, "heard.msg.some(({ msg }) => msg === 'psst')")
    assert {member["client_id"]: member["protocol"] for member in ann.evaluate("client.members()")} == {
        "ann": "socketio",
        "bob": "v3",
    }
    ann.evaluate("client.send({ msg_type: 'msg', target: 'direct', to_id: 'nobody' })")
    until(ann, "heard.error.some(({ payload }) => payload.code === 'not_connected')")


def test_a_poll_that_is_refused_for_good_does_not_come_back(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge("--socketio", config=key("acme", "acme"))
    ann = started(visitor, served.url, (NO_WEBSOCKET,), api_key="wrong")
    until(ann, "client.state === 'closed'")
    assert ann.evaluate("heard.state.at(-1).code") == 4401
