"""`GET /client/…`: what front ends load from the bridge, from whatever origin they come. Nothing here is secret.

Decided here: each script is one file, since a page loads it by one line, and whoever keeps a copy keeps one file. Its
source is modules; they are joined when the bridge starts, each before whatever imports it, without what made them
modules. The shim is a classic script, and `aether.js` a module that exports what its last part exports.
"""

import re
from typing import Final

from fastapi import FastAPI

from bridge.pages.kept_files import KeptFiles
from bridge.pages.static_page import PAGES

FOLDER: Final = PAGES / "client"
HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}

_AETHER: Final = ("about", "link", "polling", "return", "waiting", "client")
_SHIM: Final = (
    *("json", "names", "words", "upgrade", "downgrade", "shape"),
    *("interpreter", "address", "socket", "install"),
)
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./[a-z0-9_]+\.js";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=function |class |const )", re.MULTILINE)


def mount(app: FastAPI) -> None:
    """Add the files to the application."""
    files = {
        "aether.js": aether_script().encode(),
        "aether.d.ts": (FOLDER / "aether.d.ts").read_bytes(),
        "v2-shim.js": shim_script().encode(),
    }
    KeptFiles(files, HEADERS).mount(app, "/client")


def aether_script() -> str:
    """The client as one module."""
    *parts, last = (_part("aether", name) for name in _AETHER)
    return "\n".join([*(_EXPORT.sub("", part) for part in parts), last])


def shim_script() -> str:
    """The shim as one classic script, which leaves nothing behind but what it means to."""
    parts = [_EXPORT.sub("", _part("v2_shim", name)) for name in _SHIM]
    return "\n".join([_part("v2_shim", "about"), '(() => {\n"use strict";\n', *parts, "})();\n"])


def _part(folder: str, name: str) -> str:
    return _IMPORT.sub("", (FOLDER / folder / f"{name}.js").read_text())
