"""A browser, a site of pages for it, and whoever visits them: one of each for the tests of a file.

Not for longer: Playwright's loop must be over before tests that have a loop of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.end_to_end.browsing import Site, Visitor, serving

expect.set_options(timeout=40_000)  # milliseconds: patience and no promise


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    with ExitStack() as ends:
        visitor = Visitor(browser, site, ends)
        yield visitor
    assert not visitor.errors
