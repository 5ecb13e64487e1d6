"""What strangers call themselves, in the pages and files that an operator reads: it is shown, and it does nothing."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import StartBridge
from tests.deploy.nginx import changed
from tests.end_to_end.test_dashboard import CONFIG, await_census, panel, press, sign_in, v2_client
from tests.servers import BridgeProcess

UNSEEN, FORMULA = "bob%E2%80%8B", "\n=1+1"
NAMED = "%0A=1%2B1"

WITHOUT: Mapping[str, Mapping[str, str]] = {
    "visible.js": {"text.replaceAll(UNSEEN,": "((text) => text)(text,"},
    "csv.js": {"FORMULA.test(text)": "false"},
}


@pytest.fixture(scope="module")
def visited(module_bridge: StartBridge) -> BridgeProcess:
    bridge = module_bridge(config=CONFIG)
    for name in (UNSEEN, NAMED):
        with v2_client(bridge, name):
            pass
    await_census(bridge, 2)
    return bridge


def opened(browser: Browser, bridge: BridgeProcess, without: str = "") -> Page:
    """The dashboard, its script of that name without what defends it."""

    def undefended(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=changed(response.text(), WITHOUT[without]))

    page = browser.new_page()
    if without:
        page.route(f"**/{without}", undefended)
    page.goto(f"{bridge.url}/admin#acme")
    sign_in(page)
    expect(panel(page, "Census").locator("tbody tr")).to_have_count(2)
    return page


def what_is_unseen_is_shown(page: Page) -> None:
    assert r"bob\u{200b}" in panel(page, "Census").locator("tbody th").all_inner_texts()


def no_cell_is_a_formula(page: Page) -> None:
    with page.expect_download() as downloaded:
        press(panel(page, "Census"), "Download CSV")
    with Path(downloaded.value.path()).open(newline="") as file:
        cells = {row["client_id"] for row in csv.DictReader(file)}
    assert f"'{FORMULA}" in cells


def test_an_id_that_cannot_be_seen_is_shown(browser: Browser, visited: BridgeProcess) -> None:
    what_is_unseen_is_shown(opened(browser, visited))


def test_where_it_is_written_as_it_is_nobody_sees_it(browser: Browser, visited: BridgeProcess) -> None:
    page = opened(browser, visited, without="visible.js")
    with pytest.raises(AssertionError):
        what_is_unseen_is_shown(page)


def test_an_id_is_no_formula_in_a_file(browser: Browser, visited: BridgeProcess) -> None:
    no_cell_is_a_formula(opened(browser, visited))


def test_where_it_is_written_as_it_is_a_spreadsheet_reckons_with_it(browser: Browser, visited: BridgeProcess) -> None:
    page = opened(browser, visited, without="csv.js")
    with pytest.raises(AssertionError):
        no_cell_is_a_formula(page)
