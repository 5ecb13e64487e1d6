"""Pages on a port of their own, as a front end's are, in a real Chromium. What their scripts fail at is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Page

PAGES: Final = Path(__file__).parent / "pages"
BLANK: Final = "<!doctype html><meta charset=utf-8><title>blank</title>"


class Site:
    """Pages by their path, changed at will; a page that is not there is blank."""

    def __init__(self, port: int) -> None:
        self.url: Final = f"http://127.0.0.1:{port}"
        self.pages: Final[dict[str, str]] = {}

    def add(self, path: str, text: str) -> None:
        self.pages[path] = text

    def add_with_line(self, path: str, file: str, script_line: str) -> None:
        """A file of `pages/` as it is, and one line more."""
        text = (PAGES / file).read_text()
        assert text.count("<head>") == 1
        self.pages[path] = text.replace("<head>", f"<head>{script_line}")


@contextmanager
def serving() -> Iterator[Site]:
    """A site on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = site.pages.get(urlsplit(self.path).path, BLANK).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(server.server_port)
        serving_thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving_thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            serving_thread.join()


class Visitor:
    """Opens pages, and keeps what their scripts failed at."""

    def __init__(self, browser: Browser, site: Site, ends: ExitStack) -> None:
        self.site: Final = site
        self.errors: Final[list[str]] = []
        self._browser = browser
        self._ends = ends

    def open(self, path: str = "/", query: dict[str, str] | None = None, before: Sequence[str] = ()) -> Page:
        """A page in a context of its own, which trusts any certificate; the scripts in `before` run before its own."""
        context = self._browser.new_context(ignore_https_errors=True)
        self._ends.callback(context.close)
        for script in before:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.site.url + path + (f"?{urlencode(query)}" if query else ""))
        return page
