"""`GET /client/…`: the JavaScript files that front ends load from the bridge, from any origin. They hold no secrets.

Decided here: each script is served as one file, so that a page loads it with one line and a copy of it is one file. Its
source is several ES modules. They are joined when the bridge starts: each module stands before the modules that import
it, and `import` and `export` are removed. The shim is a classic script. `aether.js` is a module that exports what its
last part exports. All of them together are a package of npm as well (`client_package.py`).
"""

import re
from typing import Final

from fastapi import FastAPI

from bridge.api.client_package import package_of
from bridge.pages.memory_files import MemoryFiles
from bridge.pages.static_page import PAGES

FOLDER: Final = PAGES / "client"
HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}

_PACE: Final = "../pace"
_POSITION: Final = "../position"
"""What both need, beside their folders."""
_AETHER: Final = (
    *("about", "link", "network", _PACE, _POSITION, "polling", "return", "waiting", "options"),
    *("speaker", "speech", "client"),
)
_SHIM: Final = (
    *("json", "names", "lenient", "words", "upgrade", "downgrade", "shape", "interpreter"),
    *("address", _PACE, _POSITION, "outgoing", "incoming", "tenant", "place", "socket", "install"),
)
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\.\.?/[a-z0-9_]+\.js";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?function |class |const )", re.MULTILINE)


def mount(app: FastAPI) -> None:
    """Add the routes of the files to the application."""
    files = {
        "aether.js": aether_script().encode(),
        "aether.d.ts": (FOLDER / "aether.d.ts").read_bytes(),
        "v2-shim.js": shim_script().encode(),
        "README.md": (FOLDER / "README.md").read_bytes(),
    }
    package = {"aether.tgz": package_of(files)}
    MemoryFiles(files | package, HEADERS).mount(app, "/client")


def aether_script() -> str:
    """The text of `aether.js`: the client as one ES module."""
    *parts, last = (_part("aether", name) for name in _AETHER)
    return "\n".join([*(_EXPORT.sub("", part) for part in parts), last])


def shim_script() -> str:
    """The text of `v2-shim.js`: one classic script in a function, so that its names do not become global."""
    parts = [_EXPORT.sub("", _part("v2_shim", name)) for name in _SHIM]
    return "\n".join([_part("v2_shim", "about"), '(() => {\n"use strict";\n', *parts, "})();\n"])


def _part(folder: str, name: str) -> str:
    return _IMPORT.sub("", (FOLDER / folder / f"{name}.js").read_text())
