"""Two bridges behind nginx are restarted in turn: no page misses anything, and what a page says is said once.

Somebody counts at a third bridge, which stays: 500 numbers a second, for the group and for everybody.
"""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page, expect

from tests.conftest import StartBridge
from tests.deploy.conftest import StartNginx
from tests.deploy.nginx import Nginx
from tests.end_to_end.aether_pages import connected, until
from tests.end_to_end.browsing import Visitor
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.end_to_end.counting import KEPT, counting

COUNT: Final = 4_000
NUMBERS: Final = "heard.msg.filter(({ payload }) => payload).map(({ payload }) => payload.number)"
NUMBERS_OF_V2: Final = "frames.filter(({ number }) => number !== undefined).map(({ number }) => number)"
GAPS_OF_V2: Final = "frames.filter(({ bridge }) => bridge?.notice === 'gap')"


def page_of_v2(visitor: Visitor, proxy: Nginx) -> Page:
    """A V2 page with the line that makes it speak V3; connected."""
    script = f'<script src="{proxy.url}/client/v2-shim.js"></script>'
    visitor.site.add_with_line("/chat", "v2_chat.html", script)
    server = proxy.url.replace("https", "wss")
    page = visitor.open("/chat", {"server": server, "room": "team", "me": "42", "query": ""})
    expect(page.locator("#status")).to_have_text("online")
    return page


def test_whoever_is_on_a_page_hears_all_of_it_once_and_in_order(
    bridge: StartBridge, nginx: StartNginx, visitor: Visitor
) -> None:
    source, *pair = [bridge(config=KEPT + UNHURRIED + QUIET, wait=False) for _ in range(3)]
    for each in (source, *pair):
        each.wait_until_ready()
    proxy = nginx(*pair)
    pages = [connected(visitor, proxy.url, client_id=name) for name in ("ann", "bob")]
    old = page_of_v2(visitor, proxy)
    with counting(source, COUNT) as counter:
        for turn, each in enumerate(pair, 1):
            until(pages[0], f"{NUMBERS}.length > {turn * 500}")
            assert each.terminate() == 0
            for page in pages:
                page.evaluate("(text) => client.say(text)", f"without {each.port}")
            each.start()
            for page in pages:
                until(page, f"client.state === 'open' && heard.msg.some(({{ msg }}) => msg === 'without {each.port}')")
        for page in pages:
            until(page, f"{NUMBERS}.at(-1) === {COUNT - 1}")
        until(old, f"{NUMBERS_OF_V2}.at(-1) === {COUNT - 1}")
        assert sorted(counter.texts) == sorted(f"without {each.port}" for each in pair for _ in pages)
    for page in pages:
        assert page.evaluate(NUMBERS) == counter.numbers
        assert page.evaluate("[heard.gap, heard.dropped]") == [[], []]
    assert sum(page.evaluate("heard.resumed.length") for page in pages) >= len(pages)
    assert (old.evaluate(NUMBERS_OF_V2), old.evaluate(GAPS_OF_V2)) == (counter.numbers, [])
