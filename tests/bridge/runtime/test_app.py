"""The application as it stands when the first client comes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest
from fastapi import routing

from bridge.config.settings import Settings
from bridge.runtime.app import Application
from tests.servers import PROJECT


async def test_the_first_to_ask_waits_for_no_route_to_be_made(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does whoever is connected: that takes longer than thousands of messages."""
    app = Application(Settings(redis_url=redis_url), redis_url)
    made: list[Any] = []
    make = routing._IncludedRouter._build_effective_context

    def noting(self: Any, route: Any) -> Any:
        made.append(route)
        return make(self, route)

    monkeypatch.setattr(routing._IncludedRouter, "_build_effective_context", noting)
    async with app.router.lifespan_context(app):
        assert made
        made.clear()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as stranger:
            answers = [await stranger.get(path) for path in ("/healthz", "/admin/api/tenants", "/nobody")]
        assert [answer.status_code for answer in answers] == [200, 401, 404]
        assert not made


def test_who_does_not_serve_socketio_needs_none_of_its_modules() -> None:
    modules = ("engineio", "socketio", "aiohttp", "requests", "bridge.socketio")
    ours = "bridge.runtime.app, bridge.runtime.server"
    program = f"import sys; sys.modules.update(dict.fromkeys({modules})); import {ours}"
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True, cwd=PROJECT)
