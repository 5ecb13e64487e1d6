"""`GET /admin/api/events`: the tenants as they change, as server-sent events, for as long as the process serves.

`tenants` tells all of them; `away` tells that Redis is, and that nothing is known until the next `tenants`.

A stream is a look each second; it never keeps the process from ending, and there is a bound to how many there are.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from redis.exceptions import RedisError
from starlette.responses import StreamingResponse

from bridge.admin.refusals import REFUSED
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal, redis_away
from bridge.config.tables import EVERY_TENANT
from bridge.handshake.authentication import Administrator

LOOK_SECONDS: Final = 1.0
SILENT_LOOKS: Final = 10
MOST_STREAMS: Final = 64
MOST_STREAMS_OF_A_KEY: Final = 8
"""Of which no key has more than so many, and so many are kept for keys of the whole platform."""
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Streams:
    """The open streams of one process. `is_ending` tells whether they have to end."""

    def __init__(self, service: TenantService, is_ending: Callable[[], bool]) -> None:
        self._service = service
        self._is_ending = is_ending
        self._open: Counter[Administrator] = Counter()

    def begin(self, administrator: Administrator) -> AsyncIterator[str]:
        """One more stream. Raises `AdminRefusal` beyond the bound."""
        if not self._has_room(administrator):
            raise AdminRefusal(503, "overloaded", "Too many dashboards are open on this process; try again later.")
        return self._stream(administrator)

    def _has_room(self, administrator: Administrator) -> bool:
        """No key takes more than its share, and what is kept for the platform's no other."""
        kept = 0 if EVERY_TENANT in administrator.tenants else MOST_STREAMS_OF_A_KEY
        return self._open[administrator] < MOST_STREAMS_OF_A_KEY and self._open.total() < MOST_STREAMS - kept

    async def _stream(self, administrator: Administrator) -> AsyncIterator[str]:
        if not self._has_room(administrator):  # it was taken between the answer's head and here
            return
        self._open[administrator] += 1
        try:
            before, silent = "", 0
            while not self._is_ending():
                now = await self._event(administrator)
                silent = 0 if now != before else silent + 1
                if now != before:
                    yield now
                elif silent % SILENT_LOOKS == 0:
                    yield ": still here\n\n"
                before = now
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._open[administrator] -= 1

    async def _event(self, administrator: Administrator) -> str:
        """`tenants`, or `away` while Redis is: what was said before it may be no longer so."""
        try:
            return _event("tenants", await self._service.states(administrator))
        except (AdminRefusal, RedisError):
            return _event("away", redis_away().body)


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def router(service: TenantService, is_ending: Callable[[], bool]) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(service.administrator)]  # noqa: N806 - a type
    streams = Streams(service, is_ending)

    @routes.get("/events", summary="Every tenant, whenever something changes", response_class=StreamingResponse)
    async def events(admin: Admin) -> StreamingResponse:
        return StreamingResponse(streams.begin(admin), media_type="text/event-stream", headers=HEADERS)

    return routes
