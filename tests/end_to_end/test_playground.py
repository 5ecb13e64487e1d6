"""The page at `/`, in a real Chromium on a running bridge. Whatever the browser complains of fails the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Literal, Protocol

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from websockets.sync.client import connect

from tests.conftest import StartBridge
from tests.servers import BridgeProcess

DESK = (1280, 900)
PHONE = (360, 740)
MOST_TABS = 60
HOSTILE = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


class OpenPage(Protocol):
    """Open the page of a bridge, its first two clients connected."""

    def __call__(self, bridge: BridgeProcess, size: tuple[int, int] = ..., clients: int = ...) -> Page: ...


@pytest.fixture
def open_page(bridge: StartBridge, browser: Browser) -> Iterator[OpenPage]:
    complaints: list[str] = []
    with ExitStack() as ends:

        def open_page(bridge: BridgeProcess, size: tuple[int, int] = DESK, clients: int = 2) -> Page:
            width, height = size
            context = browser.new_context(viewport={"width": width, "height": height})
            ends.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(bridge.url)
            expect(page.get_by_text("Connected", exact=True)).to_have_count(clients)
            return page

        yield open_page
    assert not complaints


def pane(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def rows(client: Locator, text: str) -> Locator:
    return client.get_by_role("log").get_by_role("listitem").filter(has_text=text)


def press(client: Locator, name: str) -> None:
    client.get_by_role("button", name=name, exact=True).click()


def say_frame(client: Locator, text: str) -> None:
    client.get_by_label("Frame", exact=True).fill(text)
    press(client, "Send")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus, and see that one can see it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("node => node === document.activeElement"):
            assert wanted.evaluate("node => getComputedStyle(node).outlineStyle") != "none"
            return
    pytest.fail(f"{MOST_TABS} times Tab do not reach {wanted}")


def test_each_side_hears_the_other_and_is_shown_the_other_words(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge())
    v2, v3 = pane(page, "V2 42"), pane(page, "V3 alice")

    say_frame(v2, '{"msg":"hi there","id":12345678901234567890}')
    expect(rows(v3, "hi there")).to_contain_text("v2-42 → group lobby")
    said = rows(v2, "↑ said")
    expect(said).to_contain_text("What V3 hears")
    expect(said).to_contain_text("exact")
    expect(said).to_contain_text('"msg_type": "msg"')
    expect(said.locator("pre").last).to_contain_text('"id": 12345678901234567890')

    press(v3, "Command")
    press(v3, "Send")
    said, heard = rows(v3, "↑ said"), rows(v2, "↓ heard").last
    expect(said).to_contain_text("What V2 hears")
    expect(said.locator("pre").last).to_contain_text('"force": true')
    expect(heard).to_contain_text('"cmd":"RELOAD_UI"')
    expect(heard).to_contain_text("The same in V3 words")
    expect(heard.locator("pre").last).to_contain_text('"from_id": "alice"')


def test_a_message_that_cannot_be_said_is_explained(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge())
    v3 = pane(page, "V3 alice")
    press(v3, "Direct")
    v3.get_by_label("to_id").fill("")
    payload = v3.get_by_label("payload")

    payload.fill('{"force":')
    expect(v3.get_by_text("payload is not valid JSON yet.")).to_be_visible()
    payload.fill("[1]")
    expect(v3.get_by_text("payload must be a JSON object")).to_be_visible()
    press(v3, "Send")
    expect(payload).to_be_focused()
    payload.fill('{"force": true}')
    press(v3, "Send")

    expect(rows(v3, "↑ said")).to_have_count(1)
    refused = rows(v3, "refused")
    expect(refused).to_contain_text("The bridge refused this message; nobody heard it.")
    expect(refused).to_contain_text("to_id is required")
    expect(refused).to_contain_text("Correct the fields named here")


def test_a_refused_connection_is_explained(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge(), clients=2)
    page.get_by_role("button", name="Add a V3 client").click()
    client = pane(page, "V3 bob")
    client.get_by_label("Client id").fill("42")
    press(pane(page, "V3 42"), "Connect")

    client = pane(page, "V3 42")
    expect(client.get_by_role("status")).to_have_text("Closed (4400)")
    expect(rows(client, "refused")).to_contain_text("V3 takes random string ids")
    expect(rows(client, "Closed (4400)")).to_be_visible()


def test_where_keys_are_configured_the_page_says_what_is_missing(bridge: StartBridge, open_page: OpenPage) -> None:
    key = f'[[keys]]\nname = "web"\nsha256 = "{"0" * 64}"\ntenants = ["acme"]\n'
    page = open_page(bridge(config=f"page = true\n{key}"), clients=0)

    for client in (pane(page, "V2 42"), pane(page, "V3 alice")):
        expect(client.get_by_role("status")).to_have_text("Closed (4401)")
        expect(rows(client, "refused")).to_contain_text("enter a valid api_key")


def test_hostile_words_stay_text(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge())
    title = page.title()
    v2, v3 = pane(page, "V2 42"), pane(page, "V3 alice")

    say_frame(v2, json.dumps({"msg": HOSTILE, "type": "<b>"}))
    say_frame(v2, HOSTILE)
    v3.get_by_label("payload").fill('{"<b>":"<b>","__proto__":{"x":1}}')
    v3.get_by_role("textbox", name="cmd").fill(HOSTILE)
    press(v3, "Send")

    expect(rows(v3, "↓ heard").filter(has_text="onerror")).to_have_count(3)
    page.evaluate("() => document.querySelectorAll('.row details').forEach((row) => (row.open = true))")
    expect(page.get_by_text("Asking the bridge…")).to_have_count(0)
    expect(rows(v2, '"__proto__": {')).not_to_have_count(0)
    assert page.get_by_role("main").locator("img, script, b:text-is('<b>')").count() == 0
    assert page.title() == title


def test_the_keyboard_alone_connects_writes_and_sends(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge())
    tab_to(page, page.get_by_role("button", name="Add a V3 client"))
    page.keyboard.press("Enter")
    page.keyboard.type("dora")
    page.keyboard.press("Enter")
    dora = pane(page, "V3 dora")
    expect(dora.get_by_role("status").first).to_have_text("Connected")

    tab_to(page, dora.get_by_label("msg", exact=True))
    page.keyboard.press("Control+A")
    page.keyboard.type("no mouse was here")
    page.keyboard.press("Control+Enter")

    expect(rows(pane(page, "V2 42"), "no mouse was here")).to_have_count(1)
    heard = rows(pane(page, "V3 alice"), "no mouse was here")
    page.evaluate("document.activeElement.blur()")
    tab_to(page, heard.locator("summary"))
    page.keyboard.press("Enter")
    expect(heard.locator("details")).not_to_have_attribute("open", "")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.textContent").find("JOIN") > 0


def test_a_phone_stacks_the_panes_and_needs_no_sideways_scrolling(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge(), PHONE)
    v2, v3 = pane(page, "V2 42"), pane(page, "V3 alice")
    say_frame(v2, f'{{"msg":"{"unbroken" * 60}"}}')
    expect(rows(v3, "unbroken").locator("pre").last).to_contain_text("unbroken")

    above, below = v2.bounding_box(), v3.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


def test_axe_finds_nothing_wrong_in_light_and_in_dark(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge())
    v2, v3 = pane(page, "V2 42"), pane(page, "V3 alice")
    say_frame(v2, '{"msg":"hi","sent_at":"now"}')
    press(v3, "Direct")
    v3.get_by_label("to_id").fill("nobody")
    press(v3, "Send")
    v3.get_by_label("payload").fill("[")
    v3.get_by_text("Credentials").first.click()
    expect(rows(v3, "Nobody with this id is connected")).to_have_count(1)
    expect(page.get_by_text("Asking the bridge…")).to_have_count(0)

    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert not Axe().run(page).generate_snapshot()


def test_a_heartbeat_shows_its_round_trip_and_presence_can_be_put_aside(
    bridge: StartBridge, open_page: OpenPage
) -> None:
    page = open_page(bridge())
    v3 = pane(page, "V3 alice")
    v3.get_by_role("button", name="Heartbeat", exact=True).last.click()
    expect(v3.locator("output")).to_contain_text("round trip")

    press(v3, "Presence")
    press(v3, "Send")
    expect(rows(v3, "2 present: alice (v3), v2-42 (v2)")).to_be_visible()

    joined = rows(v3, "JOIN alice (v3)")
    expect(joined).to_be_visible()
    v3.get_by_label("JOIN and LEAVE").uncheck()
    expect(joined).to_be_hidden()


def test_a_log_keeps_500_rows_and_there_are_8_panes_at_most(bridge: StartBridge, open_page: OpenPage) -> None:
    served = bridge(config="messages_per_second = 0")
    page = open_page(served)
    with connect(f"{served.websocket_url}/ws/group/lobby/client/flood", max_queue=None) as flood:
        for number in range(600):
            flood.send(f'{{"msg":"flood {number}"}}')
        expect(rows(pane(page, "V3 alice"), "flood 599")).to_be_in_viewport()
    assert pane(page, "V3 alice").get_by_role("log").locator("li").count() == 500

    add = page.get_by_role("button", name="Add a V2 client")
    for _ in range(6):
        add.click()
    expect(add).to_be_disabled()
    press(pane(page, "V2 43"), "Remove 43")
    expect(pane(page, "V2 43")).to_have_count(0)
    expect(add).to_be_enabled()
