"""Files that are served from memory: by their names alone, and not again to whoever has them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from bridge.pages.memory_files import MemoryFiles

FILES = {"main.js": b"script", "deep/down/style.css": b"style", "LICENSE": b"licence"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    MemoryFiles(FILES, {"Cache-Control": "no-cache"}).mount(app, "/files")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://files.test") as client:
        yield client


async def test_a_file_comes_whole_with_its_type_and_the_headers_of_all(http: httpx.AsyncClient) -> None:
    types = {}
    for name, content in FILES.items():
        answer = await http.get(f"/files/{name}")
        assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, content, "no-cache")
        types[name] = answer.headers["content-type"].removesuffix("; charset=utf-8")
    assert types == {"main.js": "text/javascript", "deep/down/style.css": "text/css", "LICENSE": "text/plain"}


async def test_of_a_range_the_whole_is_given(http: httpx.AsyncClient) -> None:
    answer = await http.get("/files/main.js", headers={"Range": "bytes=0-0,2-2"})
    assert (answer.status_code, answer.content) == (200, b"script")


@pytest.mark.parametrize("takes", ["gzip", "br, gzip", "gzip;q=0.5, br", "*", "GZIP", "deflate,gzip ; q=1"])
async def test_text_is_compressed_for_who_takes_it(http: httpx.AsyncClient, takes: str) -> None:
    plain = await http.get("/files/main.js", headers={"Accept-Encoding": "identity"})
    answer = await http.get("/files/main.js", headers={"Accept-Encoding": takes, "Range": "bytes=0-1"})
    assert (answer.status_code, answer.content, answer.headers["content-encoding"]) == (200, b"script", "gzip")
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"] != plain.headers["etag"]
    known = {"Accept-Encoding": takes, "If-None-Match": answer.headers["etag"]}
    unchanged = await http.get("/files/main.js", headers=known)
    assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "Accept-Encoding")
    head = await http.head("/files/main.js", headers={"Accept-Encoding": takes})
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("takes", ["identity", "br", "gzip;q=0", "br, gzip;q=0.0", "xgzip", ""])
async def test_nobody_else_gets_it_compressed(http: httpx.AsyncClient, takes: str) -> None:
    answer = await http.get("/files/main.js", headers={"Accept-Encoding": takes})
    assert ("content-encoding" in answer.headers, answer.content) == (False, b"script")


async def test_whoever_has_a_file_is_not_sent_it_again_whatever_a_proxy_made_of_its_tag(
    http: httpx.AsyncClient,
) -> None:
    tag = (await http.get("/files/main.js")).headers["etag"]
    for known in (tag, f"W/{tag}", f'"another", W/{tag}', "*"):
        answer = await http.get("/files/main.js", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    for known in ("", '"another"', tag.strip('"')):
        assert (await http.get("/files/main.js", headers={"If-None-Match": known})).status_code == 200


async def test_two_files_have_two_tags(http: httpx.AsyncClient) -> None:
    assert len({(await http.get(f"/files/{name}")).headers["etag"] for name in FILES}) == len(FILES)


@pytest.mark.parametrize(
    "path",
    ["", "main", "main.js/", "/main.js", "%2e/main.js", "x/%2e%2e/main.js", "deep", "deep/", "a/" * 3_500, "%00"],
)
async def test_what_is_no_name_is_not_found_and_no_thread_looks_for_it(http: httpx.AsyncClient, path: str) -> None:
    before = threading.active_count()
    for method in ("GET", "HEAD"):
        assert (await http.request(method, f"/files/{path}")).status_code == 404
    assert threading.active_count() == before


async def test_files_are_only_read(http: httpx.AsyncClient) -> None:
    assert (await http.head("/files/main.js")).status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        assert (await http.request(method, "/files/main.js")).status_code == 405
