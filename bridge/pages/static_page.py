"""Serves one page of this package: its files, and a Content-Security-Policy that lets it load nothing else.

It knows nothing about the page's content.
"""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from bridge.pages.memory_files import READ_ONLY, MemoryFiles

PAGES: Final = Path(__file__).parent.parent / "pages"
SHARED: Final = "shared"
"""The folder of what every page loads: it is served with each page, beside the page's own files."""
INDEX: Final = "index.html"
# The last two directives: no data can become HTML, not even by a mistake of ours.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {connections}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class StaticPage:
    """One folder of `bridge/pages` and the shared one, read once.

    `connections`: the policy's sources for `connect-src`. Raises `ValueError` if a file of the page has the name of a
    shared one: there must be one copy of each.
    """

    def __init__(self, folder: str, connections: str) -> None:
        headers = {
            "Content-Security-Policy": _POLICY.format(connections=connections),
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        shared, own = _files_below(PAGES / SHARED), _files_below(PAGES / folder)
        if twice := shared.keys() & own.keys():
            raise ValueError(f"shared by all pages, and yet in {folder}/: {', '.join(sorted(twice))}")
        self._files: Final = MemoryFiles(shared | own, headers)

    def mount(self, app: FastAPI, addresses: tuple[str, ...], files: str) -> None:
        """Serve the page at each of `addresses` (paths), and its other files below the path `files`."""

        async def index(request: Request) -> Response:
            return self._files.answer(INDEX, request)

        for address in addresses:
            app.add_api_route(address, index, **READ_ONLY)
        self._files.mount(app, files)


def _files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
