"""`/client/v2-shim.js` in a real Chromium: V2 pages that come back hear what they missed, in V2's words, and once."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from tests.conftest import StartBridge
from tests.end_to_end.browsing import Visitor
from tests.end_to_end.clients import ANSWER_SECONDS, v3_path
from tests.end_to_end.configuration import with_key
from tests.end_to_end.counting import KEPT, counting
from tests.end_to_end.test_v2_shim import CONFIG, OPERATED, ROOM_OF_V3, blank, chat, lines, order, script_line
from tests.ports import free_port
from tests.proxy import stopping_proxy
from tests.servers import BridgeProcess

COUNTER: Final = v3_path(ROOM_OF_V3, "counter", with_key("web"))
NUMBERS: Final = "frames.filter(({ number }) => number !== undefined).map(({ number }) => number)"
GAPS: Final = "frames.filter(({ bridge }) => bridge?.notice === 'gap')"
OPEN: Final = """(url) => {
  window.frames = [];
  window.socket = new WebSocket(url);
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
}"""


def until(page: Page, holds: str) -> None:
    page.wait_for_function(holds, timeout=30_000)  # patience and no promise


def opened(page: Page, served: BridgeProcess, query: str = with_key("web")) -> None:
    """The page opens a socket, and notes what it hears there."""
    page.evaluate(OPEN, f"{served.websocket_url}/ws/group/blue%20room/client/42?{query}")
    until(page, "socket.readyState === 1")


def closed(page: Page) -> None:
    """The page closes its socket, and is answered."""
    page.evaluate("() => new Promise((resolve) => { socket.onclose = resolve; socket.close(); })")


def said(served: BridgeProcess, *texts: str) -> None:
    """A V3 client says these in the page's group, and all have been said when this returns."""
    with connect(served.websocket_url + v3_path(ROOM_OF_V3, "alice", with_key("web")), max_queue=None) as socket:
        for text in texts:
            socket.send(f'{{"msg_type":"msg","target":"group","msg":"{text}"}}')
        while json.loads(socket.recv(ANSWER_SECONDS)).get("msg") != texts[-1]:
            pass


def texts(page: Page) -> list[str]:
    heard: list[str] = page.evaluate("frames.filter(({ msg }) => msg).map(({ msg }) => msg)")
    return heard


def test_a_page_that_is_cut_off_hears_each_number_once_and_in_order(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=KEPT + CONFIG)
    with stopping_proxy(served.port) as proxy:
        place = {"server": f"ws://127.0.0.1:{proxy.port}", "room": "blue room", "me": "42", "query": with_key("web")}
        visitor.site.add_with_line("/chat", "v2_chat.html", script_line(served, 'data-hosts="127.0.0.1"'))
        ann = visitor.open("/chat", place)
        expect(ann.locator("#status")).to_have_text("online")
        ann.evaluate("send({ type: 'chat', user: ME, text: 'hello' })")
        expect(lines(ann, "chat")).to_have_text("42: hello")
        with counting(served, 2_000, COUNTER) as counter:
            for number in (1, 2):
                until(ann, f"{NUMBERS}.length > {number * 300}")
                proxy.lead_to(free_port())
                proxy.cut()
                expect(ann.locator("#status")).to_contain_text("closed")
                proxy.lead_to(served.port)
                expect(ann.locator("#status")).to_have_text("online")
            until(ann, f"{NUMBERS}.at(-1) === 1999")
        assert ann.evaluate(NUMBERS) == counter.numbers
        assert ann.evaluate(GAPS) == []
        expect(lines(ann, "chat")).to_have_text("42: hello")


def test_a_bridge_that_restarts_loses_nothing(bridge: StartBridge, visitor: Visitor) -> None:
    config = KEPT + CONFIG
    served, other = bridge(config=config), bridge(config=config)
    ann = chat(visitor, served, "42")
    with counting(other, 2_000, COUNTER) as counter:
        until(ann, f"{NUMBERS}.length > 300")
        assert served.terminate() == 0
        expect(ann.locator("#status")).to_contain_text("closed")
        served.start()
        until(ann, f"{NUMBERS}.at(-1) === 1999")
    assert ann.evaluate(NUMBERS) == counter.numbers
    assert ann.evaluate(GAPS) == []


def test_a_page_that_is_moved_from_v2_hears_each_number_once_and_in_order(
    bridge: StartBridge, visitor: Visitor
) -> None:
    served = bridge(config=KEPT + OPERATED.replace('stage = "v3"', 'stage = "legacy"'))
    moved, staying = "44", "42"  # of the buckets 25 and 88
    ann = chat(visitor, served, moved)
    with counting(served, 2_000, f"/ws/group/blue%20room/client/{staying}?{with_key('web')}") as counter:
        until(ann, f"{NUMBERS}.length > 300")
        order(served, "stage", {"stage": "drain", "share": 50, "confirm": "acme"})
        expect(ann.locator("#status")).to_have_text("closed 1012 clean")
        until(ann, f"{NUMBERS}.at(-1) === 1999")
    assert ann.evaluate(NUMBERS) == counter.numbers
    assert ann.evaluate(GAPS) == []
    told = ann.evaluate("frames.filter(({ number }) => number !== undefined).map(({ client_id }) => client_id ?? null)")
    assert (told[0], told[-1]) == (None, 42)  # on V2 it is not told


def test_a_page_that_opens_another_socket_at_once_hears_each_number_once_and_in_order(
    bridge: StartBridge, visitor: Visitor
) -> None:
    """As scripts do that give a connection up before the network does."""
    served = bridge(config=KEPT + CONFIG)
    page = blank(visitor, served)
    with counting(served, 1_000, COUNTER) as counter:
        opened(page, served)
        until(page, "frames.length > 100")
        at_once = f"() => {{ const {{ url }} = socket; window.before = frames; socket.close(); ({OPEN})(url); }}"
        page.evaluate(at_once)
        until(page, "[...before, ...frames].at(-1).number === 999")
    heard = page.evaluate("[...before, ...frames].map(({ number }) => number)")
    assert heard == counter.numbers[heard[0] :]


def test_a_page_that_has_closed_itself_begins_anew(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=KEPT + CONFIG)
    page = blank(visitor, served)
    opened(page, served)
    said(served, "before")
    until(page, "frames.length === 1")
    closed(page)
    said(served, "meanwhile")
    opened(page, served)
    said(served, "now")
    until(page, "frames.length > 0")
    assert texts(page) == ["now"]


@pytest.mark.parametrize(
    ("settings", "heard", "gaps"),
    [("", ["meanwhile", "now"], 0), ("history_seconds = 0\n", ["now"], 1)],
    ids=["a history", "none"],
)
def test_where_there_is_no_history_a_page_hears_a_gap(
    bridge: StartBridge, visitor: Visitor, settings: str, heard: list[str], gaps: int
) -> None:
    served = bridge(config=settings + KEPT + CONFIG)
    page = blank(visitor, served)
    opened(page, served)
    said(served, "before")
    until(page, "frames.length === 1")
    served.terminate()
    until(page, "socket.readyState === 3")
    served.start()
    said(served, "meanwhile")
    opened(page, served, f"{with_key('web')}&jwt=")  # another token is the same page
    said(served, "now")
    until(page, "frames.some(({ msg }) => msg === 'now')")
    assert texts(page) == heard
    found: list[dict[str, Any]] = page.evaluate(GAPS)
    assert len(found) == gaps
    assert [(gap["type"], gap["cmd"], sorted(gap["payload"])) for gap in found] == [
        ("cmd", "GAP", ["from", "to"])
    ] * gaps


def test_a_page_to_which_nobody_has_spoken_misses_nothing(bridge: StartBridge, visitor: Visitor) -> None:
    served = bridge(config=KEPT + CONFIG)
    page = blank(visitor, served)
    said(served, "before")
    told: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: told.append(str(frame))))
    opened(page, served)
    while not any('"cursor"' in frame for frame in told):
        page.wait_for_timeout(10)  # in which its events are seen: the bridge has told where the page stands
    served.kill()
    until(page, "socket.readyState === 3")
    served.start()
    said(served, "meanwhile")
    opened(page, served)
    until(page, "frames.some(({ msg }) => msg === 'meanwhile')")
    assert page.evaluate(GAPS) == []
