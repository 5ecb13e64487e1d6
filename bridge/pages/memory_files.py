"""Serves static files from memory: a request, even for a missing file, uses neither the disk nor a thread.

A file is found by its name in a table, and never by a path on disk: no client can reach other files. This module reads
no files itself, and knows nothing of their content.
"""

import hashlib
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
}
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
        self._content = content
        self._media_type = MEDIA_TYPES.get(PurePath(name).suffix, "text/plain")
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self._headers = {**headers, "ETag": self._tag}

    def answer(self, request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if self._tag in known or known == "*":  # a list of tags; a proxy may have made each a weak one
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, headers=self._headers, media_type=self._media_type)
