"""Serves static files from memory: a request, even for a missing file, uses neither the disk nor a thread.

A file is found by its name in a table, and never by a path on disk: no client can reach other files. This module reads
no files itself, and knows nothing of their content.

Decided here: text is compressed once, when the process starts, and sent so to whoever takes gzip. Each form has a tag
of its own. Of a range the whole is given.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".tgz": "application/gzip",
}
IS_COMPRESSED: Final = frozenset({".tgz"})
_TAKES_GZIP: Final = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)", re.IGNORECASE
)
READ_ONLY: Final[Mapping[str, Any]] = {"methods": ["GET", "HEAD"], "include_in_schema": False}
"""Arguments for adding a route that serves files."""


class MemoryFiles:
    """Files by name, all served with the same headers."""

    def __init__(self, files: Mapping[str, bytes], headers: Mapping[str, str]) -> None:
        self._files: Final = {name: _File(name, content, headers) for name, content in files.items()}

    def mount(self, app: FastAPI, path: str) -> None:
        """Serve each file at `path/name`."""

        @app.api_route(f"{path}/{{name:path}}", **READ_ONLY)
        async def file(name: str, request: Request) -> Response:
            return self.answer(name, request)

    def answer(self, name: str, request: Request) -> Response:
        """This file, or 304 if the client has it already. Raises `HTTPException` (404) if there is none."""
        file = self._files.get(name)
        if file is None:
            raise HTTPException(404)
        return file.answer(request)


class _File:
    def __init__(self, name: str, content: bytes, headers: Mapping[str, str]) -> None:
        suffix = PurePath(name).suffix
        self._plain = _Form(content, headers, MEDIA_TYPES.get(suffix, "text/plain"))
        self._compressed: _Form | None = None
        if suffix not in IS_COMPRESSED:
            compressed = gzip.compress(content, mtime=0)
            encoded = {**headers, "Content-Encoding": "gzip"}
            self._compressed = _Form(compressed, encoded, MEDIA_TYPES.get(suffix, "text/plain"))

    def answer(self, request: Request) -> Response:
        takes_gzip = _TAKES_GZIP.search(request.headers.get("accept-encoding", "")) is not None
        form = self._compressed if takes_gzip and self._compressed is not None else self._plain
        return form.answer(request)


class _Form:
    """A file as it is sent: plain or compressed."""

    def __init__(self, content: bytes, headers: Mapping[str, str], media_type: str) -> None:
        self._content = content
        self._media_type = media_type
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self._headers = {**headers, "ETag": self._tag, "Vary": "Accept-Encoding"}

    def answer(self, request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if self._tag in known or known == "*":  # a list of tags; a proxy may have made each a weak one
            unchanged = {name: value for name, value in self._headers.items() if name != "Content-Encoding"}
            return Response(status_code=304, headers=unchanged)
        return Response(self._content, headers=self._headers, media_type=self._media_type)
