"""The id map of a tenant on the dashboard, in a real Chromium on a running bridge."""

# ruff: noqa: F811

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.conftest import StartBridge
from tests.end_to_end.configuration import api_key
from tests.end_to_end.test_dashboard import (  # noqa: F401 - fixtures
    DESK,
    HOSTILE,
    NARROWEST,
    PHONE,
    SCHEMES,
    OpenPage,
    complaints,
    open_page,
    panel,
    press,
    question,
    sign_in,
)
from tests.end_to_end.test_dashboard_keys import CONFIG
from tests.servers import BridgeProcess

LOOK = "See what would change"


@pytest.fixture
def running(bridge: StartBridge) -> BridgeProcess:
    return bridge(config=CONFIG)


def put(running: BridgeProcess, ids: dict[str, str], query: str = "") -> None:
    ask(running, "PUT", f"ids{query}", json={"ids": ids})


def ask(running: BridgeProcess, method: str, path: str, **how: Any) -> Any:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    answer = httpx.request(method, f"{running.url}/admin/api/tenants/acme/{path}", headers=headers, **how)
    assert answer.status_code == 200
    return answer.json()


def size(running: BridgeProcess) -> int:
    return int(ask(running, "PUT", "ids?dry_run=true", json={"ids": {}})["ids"])


def fill(page: Page, lines: str) -> None:
    panel(page, "Id map").get_by_label("Lines of V2 id").fill(lines)


def test_ids_are_added_replaced_and_taken_back_and_each_is_shown_first(
    running: BridgeProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(running)
    record = panel(page, "Record")
    file = tmp_path / "ids.csv"
    file.write_bytes(b'\xef\xbb\xbfv2_id,vision_id\r\n42,Xk3vT9\r\n\r\n"say ""hi"", all",Yk3\r\n')
    panel(page, "Id map").get_by_label("From a CSV file").set_input_files(file)
    press(page, LOOK)
    expect(question(page)).to_contain_text("2added")
    expect(question(page).get_by_role("row", name='say "hi", all')).to_be_visible()
    assert size(running) == 0
    question(page).get_by_label("Reason").fill("the first two")
    press(question(page), "Add 2 ids")
    expect(question(page)).to_be_hidden()
    expect(page.get_by_text("The id map of acme: 0 removed, 0 changed, 2 added.")).to_be_visible()
    expect(panel(page, "Id map")).to_contain_text("2 ids are mapped")
    expect(record.get_by_role("row", name="id map 2 added")).to_contain_text("the first two")

    fill(page, "42,Other\n7,Zk3")
    panel(page, "Id map").get_by_label("This is the whole map").check()
    press(page, LOOK)
    expect(question(page).get_by_role("table", name="V2 ids that are removed")).to_contain_text('say "hi", all')
    expect(question(page).get_by_role("table", name="V2 ids that are changed")).to_contain_text("42")
    expect(question(page)).to_contain_text("are closed with 1012")
    press(question(page), "Leave it as it is")
    assert size(running) == 2
    press(page, LOOK)
    press(question(page), "Replace it: 1 id goes")
    expect(record.get_by_role("row", name="id map 1 added, 1 removed, 1 changed")).to_be_visible()

    press(page, "Take the last change back…")
    press(question(page), "Take it back")
    expect(record.locator("tbody tr")).to_have_count(3)
    assert size(running) == 2


def test_conflicts_are_named_and_strangers_names_stay_text(
    running: BridgeProcess, open_page: OpenPage, complaints: list[str]
) -> None:
    put(running, {"42": "Xk3vT9"})
    page = open_page(running)
    title = page.title()
    fill(page, "42,Other\n7,Xk3vT9\n8,Fine")
    press(page, LOOK)
    conflicts = question(page).get_by_role("table", name="In conflict with what is mapped already")
    expect(conflicts.locator("tbody tr")).to_have_count(2)
    expect(conflicts).to_contain_text("'42' is mapped to 'Xk3vT9' already")
    expect(question(page).get_by_role("button", name="Confirm")).to_be_disabled()
    press(question(page), "Leave it as it is")
    complaints.clear()  # the browser speaks of every refusal

    quoted = HOSTILE.replace('"', '""')
    fill(page, f'"{quoted}",Aaa\na\u202eb,Bbb\n__proto__,Ccc')
    press(page, LOOK)
    added = question(page).get_by_role("table", name="V2 ids that are added")
    assert set(added.locator("tbody th").all_inner_texts()) == {HOSTILE, "a\\u{202e}b", "__proto__"}
    assert question(page).locator("img, script").count() == 0
    assert page.title() == title


def test_what_was_shown_of_an_old_map_is_not_carried_out(running: BridgeProcess, open_page: OpenPage) -> None:
    page = open_page(running)
    fill(page, "7,Zk3")
    panel(page, "Id map").get_by_label("This is the whole map").check()
    press(page, LOOK)
    expect(question(page).get_by_role("button", name="Replace it")).to_be_enabled()
    put(running, {"42": "Xk3vT9"})
    expect(question(page)).to_contain_text("acme has been changed meanwhile")
    expect(question(page).get_by_role("button", name="Replace it")).to_be_disabled()
    press(question(page), "Look again")
    expect(question(page).get_by_role("button", name="Replace it: 1 id goes")).to_be_enabled()


NO_MAPS = {
    "": "Name ids first",
    "v2_id,vision_id\n": "Name ids first",
    "42;Xk3vT9": "Line 1 has 1 column; write v2_id,vision_id.",
    "v2_id,vision_id\n42,A,B": "Line 2 has 3 columns",
    "42,A1b\n\n42,B1b": "Line 3: the V2 id 42 stands already on line 1.",
    '42,A1b\n"43,B1b': "Line 2 cannot be read as CSV",
    '"4"3,B1b': "Line 1 cannot be read as CSV",
    "\n".join("x" * 7): "And 2 more.",
}
NO_FILES = {b"\xff42,A1b": "not UTF-8", b"x" * (8 * 1024 * 1024 + 1): "The page takes 8 MB"}


def test_lines_that_are_no_map_are_named(running: BridgeProcess, open_page: OpenPage) -> None:
    page = open_page(running)
    for lines, said in NO_MAPS.items():
        fill(page, lines)
        press(page, LOOK)
        expect(panel(page, "Id map").get_by_role("alert")).to_contain_text(said)
        expect(question(page)).to_be_hidden()


def test_a_file_that_cannot_be_taken_is_explained(running: BridgeProcess, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(running)
    file = tmp_path / "ids.csv"
    for data, said in NO_FILES.items():
        file.write_bytes(data)
        panel(page, "Id map").get_by_label("From a CSV file").set_input_files(file)
        expect(panel(page, "Id map").get_by_role("alert")).to_contain_text(said)


@pytest.mark.parametrize("role", ["viewer", "operator", "boss"])
def test_only_an_administrator_may_change_it_and_others_are_told_why(
    running: BridgeProcess, open_page: OpenPage, role: str
) -> None:
    page = open_page(running, signed_in=False)
    sign_in(page, api_key(role))
    expect(page.get_by_text(f"Signed in with {role}.")).to_be_visible()
    may = role == "boss"
    for control in (LOOK, "Take the last change back…"):
        expect(panel(page, "Id map").get_by_role("button", name=control)).to_be_enabled(enabled=may)
    told = page.get_by_text("Changing the id map takes a key with the role admin.")
    expect(told).to_be_visible(visible=not may)


@pytest.mark.parametrize("window", [DESK, PHONE, NARROWEST])
def test_everybody_can_use_it(running: BridgeProcess, open_page: OpenPage, window: tuple[int, int]) -> None:
    put(running, {"w" * 128: "Xk3vT9", **{f"{number}": f"Name{number}" for number in range(30)}})
    page = open_page(running, "acme", window)
    fill(page, "42,Other")
    panel(page, "Id map").get_by_label("This is the whole map").check()
    press(page, LOOK)
    expect(question(page).get_by_role("button", name="Replace it: 31 ids go")).to_be_enabled()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= window[0]
    confirm = question(page).get_by_role("button", name="Replace it: 31 ids go")
    confirm.scroll_into_view_if_needed()
    expect(confirm).to_be_in_viewport()
