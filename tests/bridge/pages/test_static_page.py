"""A page and its files, served from a folder: each with the policy, with its media type, and nothing beside them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from bridge.pages import static_page
from bridge.pages.static_page import PAGES, StaticPage

CONNECTIONS = "'self' ws://example.test"
MEDIA_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "main.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "vendor/library.js": "text/javascript; charset=utf-8",
    "base.css": "text/css; charset=utf-8",
}
SHARED = {"base.css"}
OURS = {"dashboard", "playground", "shared"}
NAMED = re.compile(r'(?:from "\./|(?:href|src)="/(?:admin/)?page/)([\w./]+)"')


@pytest.fixture
async def http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A page at `/`, its files and what it shares under `/files`, and a secret beside its folder."""
    monkeypatch.setattr(static_page, "PAGES", tmp_path)
    for name in MEDIA_TYPES:
        file = tmp_path / ("shared" if name in SHARED else "page") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {name}")
    (tmp_path / "secret.txt").write_text("secret")
    app = FastAPI()
    StaticPage("page", CONNECTIONS).mount(app, ("/", "/page"), "/files")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page.test") as client:
        yield client


def files(folder: str) -> list[Path]:
    return [file for file in (PAGES / folder).rglob("*") if file.is_file()]


def named_in(file: Path) -> set[str]:
    """What an HTML file or a script loads, by the names under which the page is served."""
    return set(NAMED.findall(file.read_text())) if file.suffix in {".html", ".js"} else set()


def policy_of(answer: httpx.Response) -> dict[str, str]:
    rules = answer.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (rule.partition(" ") for rule in rules)}


@pytest.mark.parametrize("path", ["/", "/page", *(f"/files/{name}" for name in MEDIA_TYPES)])
async def test_each_file_has_its_media_type_and_may_load_nothing_from_elsewhere(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    name = path.removeprefix("/files/") if path.startswith("/files/") else "index.html"
    assert (answer.status_code, answer.text) == (200, f"this is {name}")
    assert answer.headers["content-type"] == MEDIA_TYPES[name]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    assert policy_of(answer) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": CONNECTIONS,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


async def test_a_file_that_a_browser_has_already_is_not_sent_again_and_keeps_its_policy(
    http: httpx.AsyncClient,
) -> None:
    first = await http.get("/files/main.js")
    again = await http.get("/files/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert policy_of(again) == policy_of(first)


@pytest.mark.parametrize(
    "path",
    [
        "/files/missing.js",
        "/files/",
        "/files/vendor",
        "/files/../secret.txt",
        "/files/..%2fsecret.txt",
        "/files//main.js",
    ],
)
async def test_what_is_not_in_the_folder_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


@pytest.mark.parametrize("folder", ["dashboard", "playground"])
def test_no_file_of_a_page_is_a_copy_of_what_another_page_has(folder: str) -> None:
    copies = {file.read_bytes() for other in OURS - {folder} for file in files(other)}
    assert [file for file in files(folder) if file.read_bytes() in copies] == []


@pytest.mark.parametrize("folder", ["dashboard", "playground"])
def test_what_a_page_names_is_there_and_what_is_shared_is_loaded_by_both(folder: str) -> None:
    there = {file.relative_to(PAGES / part).as_posix() for part in (folder, "shared") for file in files(part)}
    loaded = {name for file in files(folder) for name in named_in(file)}
    assert loaded <= there
    assert {file.name for file in files("shared")} <= loaded


async def test_a_page_cannot_have_a_file_of_its_own_under_the_name_of_a_shared_one(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "page" / "base.css").write_text("another")
    with pytest.raises(ValueError, match=r"in page/: base\.css"):
        StaticPage("page", CONNECTIONS)


async def test_files_are_only_read(http: httpx.AsyncClient) -> None:
    assert (await http.post("/files/main.js")).status_code == 405
    assert (await http.head("/files/main.js")).status_code == 200
