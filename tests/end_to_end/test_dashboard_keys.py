"""Keys, roles and the configuration on the dashboard, in a real Chromium on a running bridge."""

# ruff: noqa: F811, FBT001

from __future__ import annotations

import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.conftest import StartBridge
from tests.end_to_end.configuration import api_key, key
from tests.end_to_end.test_dashboard import (  # noqa: F401 - fixtures
    DESK,
    NARROWEST,
    OpenPage,
    complaints,
    open_page,
    panel,
    press,
    sign_in,
)
from tests.servers import BridgeProcess

CONFIG = (
    "[tenants.acme]\n[tenants.other]\n"
    + "".join(key(role, "*").replace("broadcast", f'role = "{role}"\nbroadcast') for role in ("viewer", "operator"))
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    + key("chief", "acme").replace("broadcast", 'role = "admin"\nbroadcast')
)
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def shared(bridge: StartBridge) -> BridgeProcess:
    return bridge(config=CONFIG)


def is_admitted(bridge: BridgeProcess, text: str) -> bool:
    headers = {"X-Api-Key": text}
    return httpx.get(f"{bridge.url}/v3/presence/group/g", headers=headers).status_code == 200


def test_a_key_is_made_shown_once_and_revoked_after_a_question(shared: BridgeProcess, open_page: OpenPage) -> None:
    page = open_page(shared, "/keys")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_label("Tenants, with commas between").fill("acme, nobody")
    press(page, "Make the key")
    expect(page.get_by_text("No tenant is known as nobody yet.")).to_be_visible()
    text = page.get_by_text(re.compile(r"^aether_")).inner_text()
    page.get_by_label("Name").fill("kiosk")
    page.get_by_label("Tenants, with commas between").fill("acme")
    press(page, "Make the key")
    expect(panel(page, "New key").get_by_text("kiosk", exact=True)).to_be_visible()
    expect(page.get_by_text(text)).to_have_count(0)
    text = page.get_by_text(re.compile(r"^aether_")).inner_text()
    assert is_admitted(shared, text)
    press(page, "I have it: hide it")
    expect(page.get_by_text(text)).to_have_count(0)
    expect(panel(page, "Keys").get_by_text(HOSTILE)).to_be_visible()
    press(page, "Revoke kiosk")
    press(page.get_by_role("dialog"), "Leave it as it is")
    assert is_admitted(shared, text)
    press(page, "Revoke kiosk")
    press(page.get_by_role("dialog"), "Revoke the key")
    expect(page.get_by_text("kiosk is revoked.")).to_be_visible()
    expect(page.get_by_role("button", name="Revoke kiosk")).to_have_count(0)
    assert not is_admitted(shared, text)


def test_what_cannot_be_made_is_said(shared: BridgeProcess, open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page(shared, "/keys")
    press(page, "Make the key")
    expect(page.get_by_text("Name the tenants that it opens")).to_be_visible()
    page.get_by_label("Name").fill("boss")
    page.get_by_label("Tenants, with commas between").fill("*")
    press(page, "Make the key")
    expect(page.get_by_text("A key is called 'boss' already")).to_be_visible()
    complaints.clear()


def test_the_file_is_read_anew_and_a_mistake_is_said(
    shared: BridgeProcess,
    open_page: OpenPage,
    complaints: list[str],
) -> None:
    page = open_page(shared, "/keys")
    shared.config_file.write_text("burst = 7\ndrain_seconds = 1\n" + CONFIG)
    press(page, "Read the file anew")
    expect(page.get_by_text("Taken: burst. A restart is needed for drain_seconds.")).to_be_visible()
    shared.config_file.write_text("burst = 0\n" + CONFIG)
    press(page, "Read the file anew")
    expect(page.get_by_text("Refused, and what was goes on: burst")).to_be_visible()
    complaints.clear()


@pytest.mark.parametrize(("role", "may_move"), [("viewer", False), ("operator", True), ("boss", True)])
def test_what_a_role_may_not_do_is_locked_and_the_page_says_why(
    shared: BridgeProcess,
    open_page: OpenPage,
    role: str,
    may_move: bool,
) -> None:
    page = open_page(shared, "acme", signed_in=False)
    sign_in(page, api_key(role))
    expect(page.get_by_text(f"Signed in with {role}.")).to_be_visible()
    button = page.get_by_role("button", name="See what would happen")
    expect(button).to_be_enabled(enabled=may_move)
    expect(page.get_by_text("Moving a tenant takes a key with the role operator.")).to_be_visible(visible=not may_move)
    expect(page.get_by_role("link", name="Keys and configuration")).to_be_visible(visible=role == "boss")


def test_a_tenants_administrator_is_offered_its_own_keys_alone(shared: BridgeProcess, open_page: OpenPage) -> None:
    page = open_page(shared, "/keys", signed_in=False)
    sign_in(page, api_key("chief"))
    rows = panel(page, "Keys").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(page.get_by_role("button", name="Read the file anew")).to_be_hidden()


@pytest.mark.parametrize("size", [DESK, NARROWEST])
def test_everybody_can_use_it(shared: BridgeProcess, open_page: OpenPage, size: tuple[int, int]) -> None:
    page = open_page(shared, "/keys", size)
    expect(panel(page, "Keys").get_by_role("row", name=re.compile("^boss"))).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
