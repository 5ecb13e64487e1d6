"""`/client/aether.js` comes back: in a real Chromium, on running bridges, what was said meanwhile is heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
import redis
from playwright.sync_api import Browser, Page
from websockets.sync.client import connect

from bridge.api.client_files import FOLDER
from tests.conftest import StartBridge
from tests.end_to_end.aether_pages import connected, started, until
from tests.end_to_end.browsing import Visitor
from tests.end_to_end.clients import ANSWER_SECONDS, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.end_to_end.counting import KEPT, counting
from tests.end_to_end.socketio_server import SocketIoServer
from tests.ports import free_port
from tests.proxy import StoppingProxy, stopping_proxy
from tests.servers import BridgeProcess

TRANSPORTS: Final = pytest.mark.parametrize("transport", ["websocket", "polling"])
NUMBERS: Final = "heard.msg.filter(({ payload }) => payload).map(({ payload }) => payload.number)"
WITHOUT_SINCE: Final = """window.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address.replace(/[?&]since=[^&]*/, ""));
  }
};"""
"""So a bridge of before hears it, and so a client of before says it."""
LAST_SOCKET: Final = """window.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    window.socket = this;
  }
};"""


def said(served: BridgeProcess, *texts: str) -> None:
    """Somebody else says these, and all have been said when this returns."""
    with connect(served.websocket_url + v3_path("team", "bob"), max_queue=None) as socket:
        for text in texts:
            socket.send(f'{{"msg_type":"msg","target":"group","msg":"{text}"}}')
        while json.loads(socket.recv(ANSWER_SECONDS)).get("msg") != texts[-1]:
            pass


def texts(page: Page) -> list[str]:
    heard: list[str] = page.evaluate("heard.msg.map(({ msg }) => msg)")
    return heard


def away(page: Page) -> None:
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert page.evaluate("client.state") == "waiting"


def back(page: Page) -> None:
    page.evaluate("dispatchEvent(new Event('pageshow'))")
    until(page, "client.state === 'open'")


def cut_off(page: Page, proxy: StoppingProxy, served: BridgeProcess) -> None:
    """The network is gone until the page has noticed."""
    proxy.lead_to(free_port())
    proxy.cut()
    until(page, "client.state !== 'open'")
    proxy.lead_to(served.port)


def counts(page: Page) -> dict[str, Any]:
    """How often it was told that it has come back, or that something may be missing."""
    resumed = page.evaluate("heard.resumed.map(({ payload }) => payload.complete)")
    return {"resumed": resumed, "gaps": page.evaluate("heard.gap.length")}


@TRANSPORTS
def test_whenever_it_is_cut_off_it_hears_each_number_once_and_in_order(
    bridge: StartBridge, visitor: Visitor, transport: str
) -> None:
    served = bridge("--socketio", config=KEPT + UNHURRIED)
    with stopping_proxy(served.port) as proxy:
        ann = connected(visitor, served.url, transports=[transport], url=f"http://127.0.0.1:{proxy.port}")
        with counting(served, 2_000) as counter:
            for number in range(1, 5):
                until(ann, f"{NUMBERS}.length > {number * 300}")
                cut_off(ann, proxy, served)
                until(ann, f"heard.resumed.length === {number} && client.state === 'open'")
            until(ann, f"{NUMBERS}.at(-1) === 1999")
        assert ann.evaluate(NUMBERS) == counter.numbers
        assert counts(ann) == {"resumed": [True] * 4, "gaps": 0}
        assert ann.evaluate("heard.resumed.reduce((sum, { payload }) => sum + payload.missed, 0)") > 0


@TRANSPORTS
def test_a_bridge_that_restarts_loses_nothing(bridge: StartBridge, visitor: Visitor, transport: str) -> None:
    served, other = bridge("--socketio", config=KEPT + UNHURRIED), bridge(config=KEPT + UNHURRIED)
    ann = connected(visitor, served.url, transports=[transport])
    with counting(other, 2_000) as counter:
        for number in (1, 2):
            until(ann, f"{NUMBERS}.length > {number * 300}")
            assert served.terminate() == 0
            until(ann, "client.state !== 'open'")
            assert ann.evaluate("(number) => client.say(`while away ${number}`)", number) == "queued"
            served.start()
            until(ann, f"heard.resumed.length === {number} && client.state === 'open'")
        until(ann, f"{NUMBERS}.at(-1) === 1999 && heard.msg.some(({{ msg }}) => msg === 'while away 2')")
        assert counter.texts == ["while away 1", "while away 2"]
    assert ann.evaluate(NUMBERS) == counter.numbers
    assert counts(ann) == {"resumed": [True] * 2, "gaps": 0}


@TRANSPORTS
def test_what_is_said_once_the_bridge_goes_away_waits_for_the_next(
    bridge: StartBridge, visitor: Visitor, transport: str
) -> None:
    served = bridge("--socketio", config=QUIET)
    ann = connected(visitor, served.url, transports=[transport])
    ann.evaluate("""() => client.on("error", ({ payload }) => {
      if (payload.code === "going_away") window.answer = client.say("goodbye");
    })""")
    assert served.terminate() == 0
    served.start()
    until(ann, "heard.msg.some(({ msg }) => msg === 'goodbye')")
    assert (ann.evaluate("answer"), texts(ann), ann.evaluate("heard.dropped")) == ("queued", ["goodbye"], [])


def test_what_is_said_while_the_browser_closes_waits_for_the_next_connection(
    bridge: StartBridge, visitor: Visitor
) -> None:
    """The browser takes it, and says nothing: neither to the bridge, nor to the page."""
    ann = connected(visitor, bridge(config=QUIET).url, (LAST_SOCKET,))
    ann.evaluate("() => { socket.close(); client.say('one'); client.say('two'); }")
    until(ann, "heard.msg.length === 2")
    assert (texts(ann), ann.evaluate("heard.dropped")) == (["one", "two"], [])


@TRANSPORTS
def test_who_comes_back_to_another_process_hears_all(bridge: StartBridge, visitor: Visitor, transport: str) -> None:
    served, other = bridge("--socketio", config=KEPT + UNHURRIED), bridge("--socketio", config=KEPT + UNHURRIED)
    with stopping_proxy(served.port) as proxy:
        ann = connected(visitor, other.url, transports=[transport], url=f"http://127.0.0.1:{proxy.port}")
        with counting(other, 1_000) as counter:
            until(ann, f"{NUMBERS}.length > 100")
            proxy.lead_to(other.port)
            assert served.terminate() == 0
            until(ann, f"{NUMBERS}.at(-1) === 999")
        assert ann.evaluate(NUMBERS) == counter.numbers
        assert counts(ann) == {"resumed": [True], "gaps": 0}


def test_what_a_browser_asks_or_says_twice_by_itself_is_neither_lost_nor_doubled(
    bridge: StartBridge, visitor: Visitor
) -> None:
    """It does so when a connection that it has used before ends before the answer, and tells nobody."""
    served = bridge("--socketio", config=KEPT + UNHURRIED)
    with stopping_proxy(served.port) as proxy:
        ann = connected(visitor, served.url, transports=["polling"], url=f"http://127.0.0.1:{proxy.port}")
        with counting(served, 2_000) as counter:
            for number in range(1, 4):
                until(ann, f"{NUMBERS}.length > {number * 300} && client.state === 'open'")
                proxy.swallows = True
                ann.evaluate("(number) => client.say(`said ${number}`)", number)
                ann.wait_for_timeout(200)  # so that it has come, if nothing was under way before it
                proxy.swallows = False
                proxy.cut()
            until(ann, f"{NUMBERS}.at(-1) === 1999 && client.state === 'open' && client.queued === 0")
            ann.evaluate("client.echo()")  # behind all that it has said
        dropped = ann.evaluate("heard.dropped.map(({ message }) => message.msg)")
        assert sorted({*counter.texts, *dropped}) == ["said 1", "said 2", "said 3"]
        assert counter.texts == sorted(set(counter.texts))
        assert ann.evaluate("heard.msg.filter(({ msg }) => msg).map(({ msg }) => msg)") == counter.texts
        assert ann.evaluate(NUMBERS) == counter.numbers
        assert counts(ann)["gaps"] == 0


def test_who_does_not_say_where_it_stood_misses_it_and_is_told_so(bridge: StartBridge, visitor: Visitor) -> None:
    """As with a bridge that knows nothing of it. This is what the tests above would find."""
    served = bridge(config=KEPT + UNHURRIED)
    with stopping_proxy(served.port) as proxy:
        ann = connected(visitor, served.url, (WITHOUT_SINCE,), url=f"http://127.0.0.1:{proxy.port}")
        with counting(served, 1_000) as counter:
            until(ann, f"{NUMBERS}.length > 100")
            cut_off(ann, proxy, served)
            until(ann, f"{NUMBERS}.at(-1) === 999")
        heard = ann.evaluate(NUMBERS)
        assert len(heard) < len(counter.numbers)
        assert counts(ann) == {"resumed": [], "gaps": 1}
        missed_at = next(ann.evaluate("heard.msg")[at] for at, number in enumerate(heard) if number != at)["sent_at"]
        [gap] = ann.evaluate("heard.gap")
        assert gap["payload"]["from"] < missed_at
        assert (gap["cmd"], gap["from_id"], gap["target"]) == ("GAP", "server", "echo")


def test_with_polls_a_server_that_knows_nothing_of_it_leaves_a_gap(bridge: StartBridge, visitor: Visitor) -> None:
    with SocketIoServer.running() as server:
        ann = started(visitor, bridge().url, transports=["polling"], url=server.url)
        until(ann, "client.state === 'open'")
        server.go_away(retry_after_ms=50)
        until(ann, "heard.state.some(({ state }) => state === 'waiting') && client.state === 'open'")
    assert counts(ann) == {"resumed": [], "gaps": 1}


@TRANSPORTS
def test_where_there_is_no_history_each_return_leaves_one_gap(
    bridge: StartBridge, visitor: Visitor, transport: str
) -> None:
    served = bridge("--socketio", config="history_seconds = 0\n")
    ann = connected(visitor, served.url, transports=[transport])
    said(served, "before")
    until(ann, "heard.msg.length === 1")
    for number in (1, 2):
        away(ann)
        said(served, "meanwhile")
        back(ann)
        assert counts(ann) == {"resumed": [False] * number, "gaps": number}
    assert texts(ann) == ["before"]


@pytest.mark.parametrize("kind", ["message", "cursor"])
@TRANSPORTS
def test_where_the_history_was_trimmed_there_is_one_gap_and_then_all_is_well(
    bridge: StartBridge, visitor: Visitor, transport: str, kind: str, redis_url: str, prefix: str
) -> None:
    served = bridge("--socketio", config=QUIET)
    ann = connected(visitor, served.url, transports=[transport])
    until(ann, "client.cursor?.startsWith('@')")
    if kind == "message":
        said(served, "before")
        until(ann, "client.cursor === heard.msg[0]?.sent_at")
    away(ann)
    said(served, "meanwhile")
    with redis.Redis.from_url(redis_url) as client:
        histories = list(client.scan_iter(match=f"{prefix}*:history"))
        assert histories
        for history in histories:
            client.execute_command("XTRIM", history, "MAXLEN", 0)
    back(ann)
    assert counts(ann) == {"resumed": [False], "gaps": 1}

    said(served, "now")
    until(ann, "heard.msg.at(-1)?.msg === 'now'")
    away(ann)
    said(served, "later")
    back(ann)
    assert texts(ann)[-2:] == ["now", "later"]
    assert counts(ann) == {"resumed": [False, True], "gaps": 1}


def test_the_first_connection_resumes_nothing(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge()
    said(served, "before")
    ann = connected(visitor, served.url)
    said(served, "now")
    until(ann, "heard.msg.length === 1")
    assert texts(ann) == ["now"]
    assert counts(ann) == {"resumed": [], "gaps": 0}


@TRANSPORTS
def test_who_has_heard_nothing_yet_misses_nothing(bridge: StartBridge, visitor: Visitor, transport: str) -> None:
    """Where nobody speaks, a heartbeat tells where the client stands."""
    served = bridge("--socketio", config=QUIET)
    ann = connected(visitor, served.url, transports=[transport])
    until(ann, "client.cursor?.startsWith('@')")
    away(ann)
    said(served, "one", "two")
    back(ann)
    assert texts(ann) == ["one", "two"]
    assert counts(ann) == {"resumed": [True], "gaps": 0}
    assert ann.evaluate("heard.resumed[0].payload.missed") == 2
    assert ann.evaluate("heard.resumed[0].cmd") == "RESUMED"
    assert ann.evaluate("heard.cmd.length") == 0


def test_a_quiet_client_learns_anew_where_it_stands(bridge: StartBridge, visitor: Visitor) -> None:
    ann = connected(visitor, bridge(config=QUIET).url, heartbeatSeconds=0.1)
    until(ann, "client.cursor?.startsWith('@')")
    first = ann.evaluate("client.cursor")
    until(ann, f"client.cursor !== '{first}'")
    assert ann.evaluate("client.cursor").startswith("@")


@pytest.mark.parametrize("kind", ["message", "cursor"])
@TRANSPORTS
def test_what_a_page_keeps_over_a_reload_goes_on_there(
    bridge: StartBridge, visitor: Visitor, transport: str, kind: str
) -> None:
    served = bridge("--socketio", config=QUIET)
    ann = connected(visitor, served.url, transports=[transport])
    until(ann, "client.cursor?.startsWith('@')")
    if kind == "message":
        said(served, "before")
        until(ann, "client.cursor === heard.msg[0]?.sent_at")
    kept = ann.evaluate("client.cursor")
    ann.evaluate("client.close()")
    said(served, "one", "two")

    ann = connected(visitor, served.url, transports=[transport], since=kept)
    assert texts(ann) == ["one", "two"]
    assert counts(ann) == {"resumed": [True], "gaps": 0}


@pytest.mark.parametrize("since", ["@g.1-c.1-b.1-p.1", "2026-01-02T03:04:05.000006Z", "nonsense"])
def test_what_was_kept_too_long_leaves_one_gap(bridge: StartBridge, visitor: Visitor, since: str) -> None:
    ann = connected(visitor, bridge(config=QUIET).url, since=since)
    assert counts(ann) == {"resumed": [False], "gaps": 1}
    begin = "2026-01-02T03:04:03.000Z" if since.startswith("2026") else "1970-01-01T00:00:00.000Z"
    assert ann.evaluate("heard.gap[0].payload.from") == begin
    assert ann.evaluate("heard.gap[0].payload.to") >= ann.evaluate("heard.resumed[0].sent_at")


@pytest.mark.parametrize("since", [None, ""])
def test_a_page_that_has_kept_nothing_begins_anew(bridge: StartBridge, visitor: Visitor, since: str | None) -> None:
    ann = connected(visitor, bridge(config=QUIET).url, since=since)
    assert counts(ann) == {"resumed": [], "gaps": 0}


@pytest.fixture(scope="module")
def lone_page(browser: Browser) -> Iterator[Page]:
    """A page that has the rule of positions, and nothing else."""
    page = browser.new_page()
    script = (FOLDER / "position.js").read_text().replace("export ", "")
    page.add_script_tag(content=f"{script}; window.Position = Position;")
    page.evaluate(
        """() => {
          const server = { msg_type: "cmd", target: "echo", from_id: "server", group_id: "team" };
          const at = (second) => `2026-01-02T03:04:${String(second).padStart(2, "0")}.000000Z`;
          const words = {
            msg: (second, more) => ({ msg_type: "msg", target: "group", from_id: "bob", sent_at: at(second), ...more }),
            beat: (second, cursor) => words.msg(second, { msg_type: "heartbeat", target: "echo", payload: { cursor } }),
            resumed: (second, complete, cursor = null) =>
              ({ ...server, cmd: "RESUMED", payload: { complete, missed: 0, cursor }, sent_at: at(second) }),
            gaps: (position, second) => position.gaps({ group_id: "team", sent_at: at(second) })
              .map(({ payload }) => [payload.from.slice(17, 19), payload.to.slice(17, 19)]),
          };
          Object.assign(window, words);
        }"""
    )
    yield page
    page.close()


def sinces(page: Page, *heard: str) -> list[str | None]:
    """Where a position stands after each of these words."""
    steps = ", ".join(f"(position.hear({word}), position.since)" for word in heard)
    found: list[str | None] = page.evaluate(f"() => {{ const position = new Position(); return [{steps}]; }}")
    return [since and (since if since.startswith("@") else since[17:19]) for since in found]


def test_only_what_others_hear_too_and_cursors_are_a_position(lone_page: Page) -> None:
    assert sinces(
        lone_page,
        "msg(1, { target: 'echo' })",
        "msg(2, { msg_type: 'heartbeat' })",
        "beat(3, true)",
        "beat(4, null)",
        "beat(5, 'of the page')",
        "msg(6)",
        "msg(7, { target: 'direct', msg_type: 'cmd', payload: { cursor: '@x' } })",
        "beat(8, '@8')",
        "msg(9, { target: 'echo' })",
        "resumed(10, true, '@10')",
        "msg(11, { from_id: 'server', cmd: 'RESUMED', payload: { complete: true, cursor: '@x' } })",
        "resumed(12, false, null)",
    ) == [None, None, None, None, None, "06", "07", "@8", "@8", "@10", "11", "11"]


@pytest.mark.parametrize(
    ("story", "gaps"),
    [
        pytest.param("position.lose(false)", [], id="never open, nothing heard"),
        pytest.param("position.hear(msg(5)); position.lose(false)", [["03", "30"]], id="never open, something heard"),
        pytest.param("position.hear(beat(5, null)); position.lose(true)", [["03", "30"]], id="nothing is said of it"),
        pytest.param(
            "position.hear(msg(5)); position.lose(true); position.hear(resumed(9, true, '@9'))", [], id="complete"
        ),
        pytest.param(
            "position.hear(msg(5)); position.lose(true); position.hear(resumed(9, false, '@9'))",
            [["03", "30"]],
            id="incomplete",
        ),
        pytest.param(
            "position.hear(msg(5)); position.lose(true); position.hear(resumed(9, false, '@9'));"
            "position.lose(false); position.hear(resumed(19, true, '@19'))",
            [["03", "30"]],
            id="incomplete, and lost before it was told",
        ),
        pytest.param(
            "position.hear(msg(5)); position.lose(true); position.hear(resumed(9, true, '@9'));"
            "position.hear(msg(12)); position.lose(false)",
            [["10", "30"]],
            id="complete, and lost at once",
        ),
        pytest.param(
            "position.hear(msg(5)); position.lose(true); position.hear(msg(8)); position.lose(false);"
            "position.hear(resumed(9, true, '@9'))",
            [],
            id="lost amid what was missed",
        ),
    ],
)
def test_a_gap_is_told_until_all_is_proven(lone_page: Page, story: str, gaps: list[list[str]]) -> None:
    told = lone_page.evaluate(f"() => {{ const position = new Position(); {story}; return gaps(position, 30); }}")
    assert told == gaps
    again = "return [gaps(position, 30), gaps(position, 40)]"
    assert lone_page.evaluate(f"() => {{ const position = new Position(); {story}; {again}; }}") == [gaps, []]
