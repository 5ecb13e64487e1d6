"""Pages of another origin with a client of `/client/aether.js`, and all that they were told."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Page

from tests.end_to_end.browsing import Visitor

LOAD: Final = """async ([bridge, options]) => {
  const { connect } = await import(bridge + "/client/aether.js");
  const quick = { firstPauseSeconds: 0.1, longestPauseSeconds: 0.4, group_id: "team", client_id: "ann" };
  window.asked = 0;
  if (options.tokens) options.jwt = async () => options.tokens[Math.min(window.asked++, options.tokens.length - 1)];
  window.heard = Object.fromEntries(["msg", "cmd", "presence", "join", "leave", "heartbeat", "error", "gap", "resumed",
    "state", "dropped", "message"].map((type) => [type, []]));
  window.client = connect({ url: bridge, ...quick, ...options });
  for (const type of Object.keys(heard)) client.on(type, (detail) => heard[type].push(detail));
}"""


def connected(visitor: Visitor, bridge: str, before: tuple[str, ...] = (), **options: Any) -> Page:
    """A page with a client of this bridge that is open; `url` among the options is where else it connects."""
    page = started(visitor, bridge, before, **options)
    until(page, "client.state === 'open'")
    return page


def started(visitor: Visitor, bridge: str, before: tuple[str, ...] = (), **options: Any) -> Page:
    page = visitor.open(before=before)
    page.evaluate(LOAD, [bridge, options])
    return page


def until(page: Page, holds: str) -> None:
    page.wait_for_function(holds, timeout=30_000)  # patience and no promise


def states(page: Page) -> list[str]:
    return [change["state"] for change in page.evaluate("heard.state")]
