"""`GET /client/…`: what front ends load from the bridge, from whatever origin they come. Nothing here is secret.

Decided here: `v2-shim.js` must be one classic script, since a page loads it by one line before its own. Its source is
modules; they are joined when the bridge starts, each before whatever imports it, and what makes them modules is left out.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from bridge.api.static_page import PAGES

FOLDER: Final = PAGES / "client"
MEDIA_TYPES: Final = {".js": "text/javascript", ".ts": "text/plain"}
HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}

_SHIM_MODULES: Final = (
    *("json", "names", "words", "upgrade", "downgrade", "shape"),
    *("interpreter", "address", "socket", "install"),
)
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./[a-z0-9_]+\.js";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=function |class |const )", re.MULTILINE)


def mount(app: FastAPI) -> None:
    """Add the files to the application."""
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}
    files["v2-shim.js"] = shim(FOLDER / "v2_shim").encode()
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/client/{name}", methods=["GET", "HEAD"])
    async def file(name: str, request: Request) -> Response:
        content = files.get(name)
        if content is None:
            return Response(status_code=404)
        return _answer(request, content, MEDIA_TYPES[Path(name).suffix])

    app.include_router(routes)


def shim(folder: Path) -> str:
    """The modules of the shim as one script, that leaves nothing behind but what it means to."""
    about = (folder / "about.js").read_text()
    modules = [_EXPORT.sub("", _IMPORT.sub("", (folder / f"{name}.js").read_text())) for name in _SHIM_MODULES]
    return "\n".join([about, '(() => {\n"use strict";\n', *modules, "})();\n"])


def _answer(request: Request, content: bytes, media_type: str) -> Response:
    headers = HEADERS | {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)
