"""`/docs` in a browser that reaches this bridge alone: everything of the document is there, and can be tried."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.conftest import StartBridge
from tests.end_to_end.configuration import api_key, key
from tests.machine import chromium_program
from tests.servers import BridgeProcess

CONFIG = "[tenants.acme]\n" + key("acme", "acme") + key("boss", "acme").replace("broadcast", "admin = true\nbroadcast")
PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def server(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@pytest.fixture(scope="module")
def page(server: BridgeProcess) -> Iterator[Page]:
    """What it loads from elsewhere, or fails at, is an error."""
    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        opened = browser.new_page(viewport=PHONE)
        opened.on("pageerror", lambda error: troubles.append(str(error)))
        opened.on("console", lambda said: troubles.append(said.text) if "Refused" in said.text else None)
        opened.on("request", lambda asked: troubles.append(asked.url) if port_of(asked.url) != server.port else None)
        opened.goto(f"{server.url}/docs")
        expect(opened.locator("main")).not_to_have_attribute("aria-busy", "true")
        yield opened
        browser.close()
    assert troubles == []


def port_of(url: str) -> int | None:
    return urlsplit(url).port


def test_every_operation_of_the_document_is_shown(page: Page, server: BridgeProcess) -> None:
    paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    shown = page.locator("summary").evaluate_all(
        "all => all.map(one => one.children[0].textContent + one.children[1].textContent)"
    )
    assert sorted(shown) == sorted(f"{method.upper()}{path}" for path, methods in paths.items() for method in methods)


def test_a_backend_tries_to_say_a_message_with_its_key(page: Page) -> None:
    page.fill("input[name=ApiKey]", api_key("acme"))
    operation = page.locator("#say")
    operation.locator("summary").click()
    expect(operation).to_contain_text("Needs the header X-Api-Key.")
    expect(operation).to_contain_text("not_connected")
    operation.get_by_role("button", name="Send").click()
    expect(operation.locator("pre")).to_contain_text("202 Accepted")
    operation.locator("textarea").fill('{"msg_type": "msg", "target": "direct"}')
    operation.get_by_role("button", name="Send").click()
    expect(operation.locator("pre")).to_contain_text('"code": "invalid_message"')


def test_an_operator_lists_tenants_and_a_path_is_filled_in(page: Page) -> None:
    page.fill("input[name=Bearer]", api_key("boss"))
    operation = page.locator("#tenant_state")
    operation.locator("summary").click()
    operation.locator("input[name=tenant]").fill("acme")
    operation.get_by_role("button", name="Send").click()
    expect(operation.locator("pre")).to_contain_text('"tenant": "acme"')


def test_everyone_can_use_it_on_a_phone_too(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert Axe().run(page).violations_count == 0


def test_it_may_load_nothing_from_elsewhere(server: BridgeProcess) -> None:
    answer = httpx.get(f"{server.url}/docs")
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert "//" not in answer.text.replace("<!doctype", "")
