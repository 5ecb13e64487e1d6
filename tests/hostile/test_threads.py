"""A thread takes the interpreter from everybody, and nobody can charge it to whoever asked: no stranger gets one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked

OPEN = "presence_events_members = 0\n"
"""Without keys, a page for developers is served, too."""
FILES = ("/", "/admin", "/docs", "/openapi.json", "/client/aether.js", "/socket.io/?EIO=4&transport=polling")
FOLDERS = ("/admin/page/", "/page/", "/client/", "/nowhere/")
NAMES = ("", "main.js", "style.css", "vendor/uplot/uPlot.esm.js", "vendor", "a/" * 3_500, "..%2f", "%00")
FIELDS = {"Range": "bytes=0-0,2-2", "Authorization": "Bearer bad", "X-Api-Key": "bad"}


def described(http: httpx.Client) -> Iterator[tuple[str, str]]:
    """Every method and address of what a bridge says that it serves."""
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method, re.sub(r"{\w+}", "x", path)


def asked_for(http: httpx.Client) -> Iterator[tuple[str, str]]:
    yield from described(http)
    for method in ("GET", "HEAD", "POST"):
        for path in (*FILES, "/page/convert", *(folder + name for folder in FOLDERS for name in NAMES)):
            yield method, path


def no_request_has_a_thread(bridge: Attacked) -> None:
    """One that has a thread has it each time; the log's own thread writes a line now and then, whoever asks."""
    with httpx.Client(base_url=bridge.url, headers=FIELDS) as http:

        def has_a_thread(method: str, path: str) -> bool:
            before = bridge.turns_of_threads()
            with http.stream(method, path) as answer:
                if answer.headers.get("Content-Type", "").partition(";")[0] != "text/event-stream":  # that never ends
                    answer.read()
            return bridge.turns_of_threads() != before

        had_one = {
            (method, path[:40]) for method, path in asked_for(http) if all(has_a_thread(method, path) for _ in "123")
        }
    assert had_one == set()


@pytest.mark.parametrize("config", [CONFIG, OPEN], ids=["with keys", "open"])
def test_nothing_that_a_stranger_asks_for_has_a_thread(attacked: StartAttacked, config: str) -> None:
    no_request_has_a_thread(attacked("--socketio", config=config))


@pytest.mark.parametrize("without", ["files from memory", "keys in the loop"])
def test_where_a_disk_is_asked_or_a_key_looked_at_beside_the_loop_it_has(attacked: StartAttacked, without: str) -> None:
    with pytest.raises(AssertionError):
        no_request_has_a_thread(attacked(config=CONFIG, without=without))
