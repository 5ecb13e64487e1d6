"""Files that are served from memory: asking for one, or for one that is not there, touches neither disk nor thread.

A file is its name in a table and nothing else, so that no path is ever walked for a stranger. It reads nothing by
itself, and knows neither pages nor scripts.
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
"""How a route is added that serves files."""


class KeptFiles:
    """Files by their names, all with the same headers."""

    def __init__(self, files: Mapping[str, bytes], headers: Mapping[str, str]) -> None:
        self._files: Final = {name: _File(name, content, headers) for name, content in files.items()}

    def mount(self, app: FastAPI, path: str) -> None:
        """Serve each at `path/name`."""

        @app.api_route(f"{path}/{{name:path}}", **READ_ONLY)
        async def file(name: str, request: Request) -> Response:
            return self.answer(name, request)

    def answer(self, name: str, request: Request) -> Response:
        """That file; 304 where the client has it already. Raises `HTTPException` where there is none of that name."""
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
        if self._tag in known or known == "*":  # a list, each of whose tags a proxy may have made a weak one
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, headers=self._headers, media_type=self._media_type)
