"""The endpoint without a network, and a client of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from bridge.handshake.preflight import Preflight
from bridge.socketio.endpoint import Endpoint
from bridge.sockets.service_unavailable import service_unavailable
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.bridge.socketio.parts import POLLING, Home

FOREIGN = "http://elsewhere.test"


class Desk:
    """A preflight that turns away foreigners, and everyone who is new where it is told so."""

    def __init__(self) -> None:
        self.is_busy = False
        self.origins = self

    def passes(self, headers: Headers) -> bool:
        return headers.get("origin") != FOREIGN

    def refusal(self, headers: Headers) -> Response | None:
        if headers.get("origin") == FOREIGN:
            return JSONResponse({"code": "forbidden_origin"}, 403)
        return service_unavailable("bus_down", "Later.") if self.is_busy else None


class Visit:
    """The endpoint with its sessions, and a client of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.desk = Desk()
        self.endpoint = Endpoint(home.sessions, cast(Preflight, self.desk))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.endpoint), base_url="http://bridge.test")

    async def get(self, query: str = POLLING, **how: Any) -> httpx.Response:
        return await asyncio.wait_for(self.http.get(f"/?{query}", **how), ANSWER_SECONDS)

    async def post(self, sid: str, body: Any, query: str = POLLING) -> httpx.Response:
        return await asyncio.wait_for(self.http.post(f"/?{query}&sid={sid}", content=body), ANSWER_SECONDS)
