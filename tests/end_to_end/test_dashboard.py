"""The dashboard at `/admin`, in a real Chromium on a running bridge. What the browser complains of fails the test."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, Literal, Protocol

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Request, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.configuration import api_key, key, with_key
from tests.servers import BridgeProcess

CONFIG: Final = (
    "[tenants.acme]\nsunset = 2027-06-30\n[tenants.other]\nguard.quiet_days = 3\n"
    + key("web", "acme")
    + key("shop", "other")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
DESK = (1280, 900)
PHONE = (360, 740)
NARROWEST = (320, 600)
MOST_TABS = 80
ANSWER_SECONDS = 15.0
HOSTILE = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


class OpenPage(Protocol):
    """Open the dashboard of a bridge, signed in unless told, on the tenant that `place` names."""

    def __call__(
        self, bridge: BridgeProcess, place: str = ..., size: tuple[int, int] = ..., *, signed_in: bool = ...
    ) -> Page: ...


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser complains of; a test that provokes a complaint takes it out."""
    heard: list[str] = []
    yield heard
    assert not heard


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[OpenPage]:
    with ExitStack() as ends:

        def open_page(
            bridge: BridgeProcess, place: str = "acme", size: tuple[int, int] = DESK, *, signed_in: bool = True
        ) -> Page:
            width, height = size
            context = browser.new_context(viewport={"width": width, "height": height})
            ends.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("request", lambda request: complaints.extend(asked_elsewhere(request, bridge)))
            page.goto(f"{bridge.url}/admin#{place}")
            if signed_in:
                sign_in(page)
                expect(page.get_by_text("live", exact=True)).to_be_visible()
            return page

        yield open_page


def asked_elsewhere(request: Request, bridge: BridgeProcess) -> list[str]:
    """The page speaks to its own bridge alone."""
    is_own = request.url.startswith((f"{bridge.url}/admin", "data:", "blob:"))
    return [] if is_own else [f"asks {request.url}"]


def sign_in(page: Page, admin_key: str = api_key("boss")) -> None:
    page.get_by_label("Administrator’s key").fill(admin_key)
    page.get_by_role("button", name="Sign in").click()


def panel(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def press(within: Page | Locator, name: str) -> None:
    within.get_by_role("button", name=name, exact=True).click()


def choose(page: Page, stage: str) -> None:
    """Choose a stage, and look at the dry run."""
    panel(page, "Controls").get_by_role("radio", name=re.compile(f"^{stage} ")).check()
    press(page, "See what would happen")


def confirm_by_name(asked: Locator, tenant: str, button: str) -> None:
    """Only the whole name lets the button be pressed."""
    confirm, name = asked.get_by_role("button", name=button), asked.get_by_label(f"Type {tenant} to confirm")
    for typed in ("", tenant[:-1], f"{tenant} "):
        name.fill(typed)
        expect(confirm).to_be_disabled()
    name.fill(tenant)
    expect(confirm).to_be_enabled()


def question(page: Page) -> Locator:
    return page.get_by_role("dialog")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus, and see that one can see it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("node => node === document.activeElement"):
            assert wanted.evaluate("node => getComputedStyle(node).outlineStyle") != "none"
            return
    pytest.fail(f"{MOST_TABS} times Tab do not reach {wanted}")


@contextmanager
def v2_client(
    bridge: BridgeProcess, client_id: str = "42", name: str = "web", **how: Any
) -> Iterator[ClientConnection]:
    path = f"/ws/group/lobby/client/{client_id}?{with_key(name)}"
    with connect(f"{bridge.websocket_url}{path}", **how) as client:
        yield client


@contextmanager
def v3_client(bridge: BridgeProcess) -> Iterator[ClientConnection]:
    with connect(f"{bridge.websocket_url}/v3/ws/group/lobby/client/ann?{with_key('web')}") as client:
        yield client


def end_of(client: ClientConnection) -> tuple[dict[str, Any], int | None]:
    """The last frame that a client heard, and the code with which it was closed."""
    heard: dict[str, Any] = {}
    with suppress(ConnectionClosed):
        while True:
            heard = json.loads(client.recv(ANSWER_SECONDS))
    return heard["bridge"], client.close_code


@contextmanager
def another_operator(bridge: BridgeProcess, tenant: str = "acme") -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    with httpx.Client(base_url=f"{bridge.url}/admin/api/tenants/{tenant}", headers=headers) as api:
        yield api


def order(bridge: BridgeProcess, **wanted: Any) -> None:
    """What another operator does meanwhile."""
    with another_operator(bridge) as api:
        assert api.put("/stage", json=wanted).status_code == 200


def await_census(bridge: BridgeProcess, clients: int, tenant: str = "acme") -> None:
    """The bridge writes down by itself who was there, a second later."""
    with another_operator(bridge, tenant) as api:
        end = time.monotonic() + ANSWER_SECONDS
        while api.get("/census", params={"protocol": "all"}).json()["total"] < clients:
            assert time.monotonic() < end, "the census stays behind"
            time.sleep(0.05)


def test_while_redis_is_away_the_page_says_so_and_is_live_again_by_itself(
    bridge: StartBridge, redis_server: StartRedis, open_page: OpenPage, complaints: list[str]
) -> None:
    redis = redis_server()
    page = open_page(bridge(config=CONFIG, redis=redis.url))
    redis.freeze()
    expect(page.get_by_text("Redis is away", exact=True)).to_be_visible()
    choose(page, "v3")
    expect(question(page).get_by_text("Redis cannot be reached")).to_be_visible()
    page.keyboard.press("Escape")
    redis.thaw()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    assert all("status of 503" in complaint for complaint in complaints)
    complaints.clear()


def test_a_wrong_key_is_explained_and_the_right_one_opens(
    bridge: StartBridge, open_page: OpenPage, complaints: list[str]
) -> None:
    page = open_page(bridge(config=CONFIG), signed_in=False)
    for wrong, status in (("nobody", 401), (api_key("web"), 403)):
        sign_in(page, wrong)
        expect(page.get_by_role("alert")).to_contain_text("with a key that has a `role`")
        assert f"status of {status}" in complaints.pop()
    sign_in(page, "two words")
    expect(page.get_by_role("alert")).to_contain_text("look at what was pasted")

    sign_in(page)
    expect(page.get_by_role("heading", name="acme", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]

    press(page, "Sign out")
    expect(page.get_by_label("Administrator’s key")).to_be_focused()
    expect(page.get_by_label("Administrator’s key")).to_have_value("")
    assert page.evaluate("sessionStorage.length") == 0


def test_the_policy_lets_the_page_load_nothing_but_itself(bridge: StartBridge) -> None:
    running = bridge(config=CONFIG)
    for file in ("/admin", "/admin/page/main.js", "/admin/page/vendor/uplot/uPlot.esm.js"):
        policy = httpx.get(f"{running.url}{file}").headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "connect-src 'self';" in policy
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy


@pytest.mark.parametrize(
    ("stage", "words", "notice", "code"),
    [("drain", "drain 100 %", "moved_to_v3", 4426), ("v3", "v3", "v2_retired", 4410)],
)
def test_a_tenant_is_moved_and_rolled_back_by_clicking(
    bridge: StartBridge, open_page: OpenPage, stage: str, words: str, notice: str, code: int
) -> None:
    running = bridge(config=CONFIG)
    with v2_client(running) as old, v3_client(running) as modern:
        page = open_page(running)
        old.send('{"msg": "is anybody there?"}')
        modern.recv(ANSWER_SECONDS)
        panel(page, "Controls").get_by_role("radio", name=re.compile("^drain ")).check()
        page.get_by_label("Share in percent").fill("100")
        panel(page, "Controls").get_by_label("Reason").fill("the day has come")
        choose(page, stage)

        asked = question(page)
        expect(asked.get_by_role("table", name="Clients that must move")).to_contain_text(
            "/v3/ws/group/lobby/client/v2-42"
        )
        expect(asked.get_by_role("table", name="If none arrives: who hears whom no more")).to_contain_text("ann")
        if stage == "v3":
            confirm_by_name(asked, "acme", "Move acme to v3")
        press(asked, f"Move acme to {words}")
        told, closed_with = end_of(old)
    assert (told["notice"], told["successor"], closed_with) == (notice, "/v3/ws/group/lobby/client/v2-42", code)
    expect(asked).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text=f"acme is moved to {words}")).to_be_visible()
    expect(page.get_by_role("list", name="Stages").locator("[aria-current=step]")).to_have_text(words)

    press(page, "Roll back…")
    press(question(page), "Roll acme back to bridge")
    expect(page.get_by_role("status").filter(has_text="acme is rolled back to bridge")).to_be_visible()
    changes = panel(page, "Record").locator("tbody tr")
    expect(changes).to_have_count(2)
    expect(changes.first).to_contain_text("rollback of 1")
    expect(changes.last).to_contain_text(re.compile("boss.*the day has come"))
    with v2_client(running) as back:
        back.send("here again")
        assert back.recv(ANSWER_SECONDS) == "here again"


def test_the_keyboard_alone_signs_in_and_moves_a_tenant(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    with v2_client(running) as old:
        page = open_page(running, "", signed_in=False)
        expect(page.get_by_label("Administrator’s key")).to_be_focused()
        page.keyboard.type(api_key("boss"))
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("link", name=re.compile("^acme")))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="acme", exact=True)).to_be_focused()

        tab_to(page, panel(page, "Controls").get_by_role("radio", name=re.compile("^bridge ")))
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(panel(page, "Controls").get_by_role("radio", name=re.compile("^v3 "))).to_be_checked()
        tab_to(page, page.get_by_role("button", name="See what would happen"))
        page.keyboard.press("Enter")
        confirm = question(page).get_by_role("button", name="Move acme to v3")
        expect(confirm).to_be_visible()
        page.keyboard.press("Escape")
        expect(question(page)).to_be_hidden()
        expect(page.get_by_role("button", name="See what would happen")).to_be_focused()

        page.keyboard.press("Enter")
        expect(confirm).to_be_visible()
        tab_to(page, question(page).get_by_label("Type acme to confirm"))
        page.keyboard.type("acme")
        expect(confirm).to_be_enabled()
        tab_to(page, confirm)
        page.keyboard.press("Enter")
        assert end_of(old)[1] == 4410


def test_what_happens_elsewhere_is_shown_without_reloading(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    page = open_page(running)
    overview = panel(page, "Overview")
    expect(overview.get_by_text("Nobody is connected")).to_be_visible()
    with v2_client(running), v3_client(running):
        expect(overview.get_by_text("50 % on V3")).to_be_visible()
        expect(page.get_by_role("link", name=re.compile("^acme"))).to_contain_text("50 % on V3")
        expect(overview.get_by_role("img", name=re.compile("^Connections"))).to_be_visible()
        order(running, stage="drain", share=7, why="from elsewhere")
        expect(overview.get_by_text("drain 7 %")).to_be_visible()
        expect(panel(page, "Record")).to_contain_text("from elsewhere")
        expect(page.get_by_label("Share in percent")).to_have_value("7")


def test_what_was_decided_upon_an_old_state_is_not_carried_out(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    page = open_page(running)
    press(page, "Drain 25 %")
    confirm = question(page).get_by_role("button", name="Move acme to drain 25 %")
    expect(confirm).to_be_enabled()
    order(running, v2_routing="group")

    expect(question(page).get_by_role("alert")).to_contain_text("has been changed meanwhile")
    expect(confirm).to_be_disabled()
    press(question(page), "Look again")
    confirm.click()
    expect(panel(page, "Record").locator("tbody tr")).to_have_count(2)


def test_the_share_is_shown_as_it_is_and_has_two_decimals(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    page = open_page(running)
    slider, share = page.get_by_label("Share, slider"), page.get_by_label("Share in percent")
    expect(share).to_have_value("")
    expect(slider).to_have_value("0")
    panel(page, "Controls").get_by_role("radio", name=re.compile("^drain ")).check()
    for wrong in ("", "12.255", "101", "-1"):
        share.fill(wrong)
        press(page, "See what would happen")
        expect(panel(page, "Controls").get_by_role("alert")).to_have_text(
            "Name the share: a number from 0 to 100, with two decimals at most."
        )
    share.fill("12.25")
    expect(slider).to_have_value("12.25")
    press(page, "See what would happen")
    press(question(page), "Move acme to drain 12.25 %")
    expect(page.get_by_role("list", name="Stages").locator("[aria-current=step]")).to_have_text("drain 12.25 %")
    expect(share).to_have_value("12.25")
    order(running, stage="v3")
    expect(share).to_have_value("")
    expect(slider).to_have_value("0")


def test_limits_of_guards_are_set_and_recorded(bridge: StartBridge, open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page(bridge(config=CONFIG), "other")
    controls = panel(page, "Controls")
    controls.get_by_text("Limits", exact=True).click()
    expect(controls.get_by_label("To v3: V2 quiet for days")).to_have_value("3")
    controls.get_by_label("To v3: V2 quiet for days").fill("")
    controls.get_by_label("Lost of those moved").fill("12.5")
    press(controls, "Set the limits")
    expect(controls.get_by_text("The limits are set.")).to_be_visible()
    expect(controls.get_by_role("list").filter(has_text="The newest step has moved nobody yet.")).to_be_visible()
    expect(panel(page, "Record")).to_contain_text("quiet_days 3 → off, lost_percent off → 12.5")
    controls.get_by_label("A step is watched for").fill("1")
    press(controls, "Set the limits")
    expect(controls.get_by_text("grace_seconds must be less than watch_minutes")).to_be_visible()
    assert "status of 422" in complaints.pop()


def test_a_guard_that_fails_is_passed_only_with_a_reason(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    with v2_client(running, name="shop") as old:
        old.send("I am still here")
        old.recv(ANSWER_SECONDS)
        page = open_page(running, "other")
        choose(page, "v3")
        asked = question(page)
        confirm = asked.get_by_role("button", name="Move other to v3 all the same")
        expect(asked.get_by_role("list").filter(has_text="3 days must be quiet")).to_contain_text("Fails")
        expect(confirm).to_be_disabled()
        asked.get_by_label("Go ahead all the same").check()
        expect(confirm).to_be_disabled()
        asked.get_by_label("Reason").fill("it is the last one")
        confirm_by_name(asked, "other", "Move other to v3 all the same")
        confirm.click()
        assert end_of(old)[1] == 4410
    expect(panel(page, "Record")).to_contain_text("forced past quiet_days")


def test_the_census_is_filtered_and_taken_along_and_its_words_stay_text(
    bridge: StartBridge, open_page: OpenPage
) -> None:
    running = bridge(config=CONFIG)
    agents = {"7": (HOSTILE, '{"reload": true}'), "8": ("=1+1", '{"reload": "now", "page": 1}')}
    for client_id, (agent, frame) in agents.items():
        with v2_client(running, client_id, user_agent_header=agent) as client:
            client.send(frame)
            client.recv(ANSWER_SECONDS)
    await_census(running, len(agents))
    page = open_page(running)
    title, census, ledger = page.title(), panel(page, "Census"), panel(page, "Ledger")
    expect(census.locator("tbody tr")).to_have_count(2)
    types = re.compile("boolean, string|string, boolean")
    expect(ledger.get_by_role("row", name=re.compile("reload"))).to_contain_text(types)
    expect(ledger.get_by_role("heading", name="V2 → V3")).to_contain_text("2 conversions")

    census.get_by_label("Filter clients").fill("onerror")
    expect(census.locator("tbody tr")).to_have_count(1)
    expect(census.locator("tbody tr")).to_contain_text(HOSTILE)
    assert page.get_by_role("main").locator("img, script").count() == 0
    assert page.title() == title

    census.get_by_label("Filter clients").fill("=1")
    with page.expect_download() as downloaded:
        press(census, "Download CSV")
    lines = downloaded.value.path().read_text().splitlines()
    assert lines[0].startswith("client_id,group_id,protocol")
    assert [line.endswith(",'=1+1") for line in lines[1:]] == [True]


def test_ids_that_cannot_be_seen_are_shown_and_long_ones_are_broken(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    names = {"a%E2%80%8Bb": "a\\u{200b}b", "%E2%80%AEcba": "\\u{202e}cba", "%00%0A%1b[1m": "\\u{0}\\u{a}\\u{1b}[1m"}
    names |= {
        "%E3%85%A4": "\\u{3164}",
        "Z%CC%80%CC%80%CC%80": "Z\u0300\u0300\\u{300}",
        "%20%20": "\\u{20}\\u{20}",
        "w" * 128: "w" * 128,
        "\N{GRINNING FACE}": "\N{GRINNING FACE}",
    }
    for name in names:
        with v2_client(running, f"{name}", user_agent_header="kiosk/1"):
            pass
    await_census(running, len(names))
    page = open_page(running)
    rows = panel(page, "Census").locator("tbody tr")
    expect(rows).to_have_count(len(names))
    assert set(rows.locator("th").all_inner_texts()) == set(names.values())
    assert page.evaluate(WIDEST, "tbody th") <= 32 * 16
    scroller = panel(page, "Census").locator(".scroller")
    assert scroller.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


def test_a_panel_holds_every_list_of_the_census_however_long_its_times_are(
    bridge: StartBridge, open_page: OpenPage
) -> None:
    running = bridge(config=CONFIG)
    with v2_client(running, "w" * 128, user_agent_header="Mozilla/5.0 " * 16):
        pass
    await_census(running, 1)
    page = open_page(running)
    census = panel(page, "Census")
    for whom in ("list=still", "protocol=all"):
        census.get_by_role("combobox").select_option(whom)
        expect(census.locator("tbody time")).to_have_count(2)
        page.evaluate(LONGEST_TIMES)
        assert census.locator(".scroller").evaluate("one => one.scrollWidth - one.clientWidth") <= 0
        assert_fits(page, DESK)


LONGEST_TIMES = "document.querySelectorAll('time').forEach((one) => { one.textContent = '59 minutes ago'; })"
WIDEST = "name => Math.max(...[...document.querySelectorAll(name)].map((one) => one.getBoundingClientRect().width))"
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@A1",
    "\t=1",
    "\r=1",
    "\n=1+1",
    " =1",
    "\u200b=1",
    " \n\t @x",
    "\uff1d1",
    '\n"x',
    "\r\n-1",
]
PLAIN = ["", "1", "a=1", "kiosk-7", "a@b", "42", " a", "'=1"]


def test_no_cell_of_a_file_is_a_formula(bridge: StartBridge, open_page: OpenPage) -> None:
    page = open_page(bridge(config=CONFIG))
    write = "async (cells) => (await import('/admin/page/csv.js')).csvOf(['a'], cells.map((a) => ({ a })))"
    rows = list(csv.reader(io.StringIO(page.evaluate(write, FORMULAS + PLAIN), newline="")))
    expected = [f"'{cell}" for cell in FORMULAS] + PLAIN
    assert [row[0] if row else "" for row in rows[1:]] == expected


def test_axe_finds_nothing_wrong_in_light_and_in_dark(bridge: StartBridge, open_page: OpenPage) -> None:
    running = bridge(config=CONFIG)
    page = open_page(running, signed_in=False)
    assert_accessible(page)
    with v2_client(running) as old, v3_client(running) as modern:
        old.send('{"msg": "hi", "caption": "one of our own"}')
        modern.recv(ANSWER_SECONDS)
        await_census(running, 2)
        sign_in(page)
        order(running, v2_routing="group", why="a rehearsal")
        expect(panel(page, "Census").locator("tbody tr")).to_have_count(1)
        page.get_by_text("The same as a table").click()
        assert_accessible(page)
        press(page, "Drain 100 %")
        expect(question(page).get_by_role("table", name="Clients that must move")).to_be_visible()
        assert_accessible(page)
        page.keyboard.press("Escape")
    page.goto(f"{running.url}/admin#other")
    expect(page.get_by_text("Nothing has been changed yet.")).to_be_visible()
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert not Axe().run(page).generate_snapshot()


@pytest.mark.parametrize("size", [PHONE, NARROWEST])
def test_a_phone_shows_one_thing_at_a_time_and_needs_no_sideways_scrolling(
    bridge: StartBridge, open_page: OpenPage, size: tuple[int, int]
) -> None:
    running = bridge(config=CONFIG)
    with v2_client(running, user_agent_header="unbroken" * 30) as old, v3_client(running) as modern:
        old.send(json.dumps({"key" * 30: True}))
        modern.recv(ANSWER_SECONDS)
        await_census(running, 2)
        page = open_page(running, "", size)
        assert_fits(page, size)
        page.get_by_role("link", name=re.compile("^acme")).click()
        expect(page.get_by_role("navigation")).to_be_hidden()
        expect(panel(page, "Census").locator("tbody tr")).to_have_count(1)
        assert_fits(page, size)
        choose(page, "v3")
        expect(question(page).get_by_role("table", name="Clients that must move")).to_be_attached()
        assert_fits(page, size)
        confirm = question(page).get_by_role("button", name="Move acme to v3")
        confirm.scroll_into_view_if_needed()
        expect(confirm).to_be_in_viewport()
        page.keyboard.press("Escape")
    page.get_by_role("link", name="All tenants").click()
    expect(page.get_by_role("link", name=re.compile("^acme"))).to_be_focused()


def assert_fits(page: Page, size: tuple[int, int]) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
