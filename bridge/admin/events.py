"""`GET /admin/api/events`: the state of the tenants, as server-sent events, for as long as the process serves.

The event `tenants` has the state of all tenants, and is sent when something changes. The event `away` says that Redis
cannot be reached, and that nothing is known until the next `tenants`.

A stream looks once a second, and never keeps the process from ending. The number of streams is bounded; one more is
refused with 503.
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
from bridge.handshake.authentication import Administrator
from bridge.sockets.server_sent_events import DOCUMENTED, HEADERS, KEEP_ALIVE, MEDIA_TYPE, event

LOOK_SECONDS: Final = 1.0
SILENT_LOOKS: Final = 10
MOST_STREAMS: Final = 64
MOST_STREAMS_OF_A_KEY: Final = 8
"""The most streams of one key. As many of `MOST_STREAMS` are reserved for keys of the whole platform."""


class Streams:
    """The open streams of one process. `is_ending` returns whether they must end."""

    def __init__(self, service: TenantService, is_ending: Callable[[], bool]) -> None:
        self._service = service
        self._is_ending = is_ending
        self._open: Counter[Administrator] = Counter()

    def begin(self, administrator: Administrator) -> AsyncIterator[bytes]:
        """Begin a stream. Raises `AdminRefusal` (503) beyond the bound."""
        if not self._has_room(administrator):
            raise AdminRefusal(503, "overloaded", "Too many dashboards are open on this process; try again later.")
        return self._stream(administrator)

    def _has_room(self, administrator: Administrator) -> bool:
        """Whether a stream of this key is within its own bound, and takes none that is reserved for the platform."""
        kept = 0 if administrator.is_for_platform else MOST_STREAMS_OF_A_KEY
        return self._open[administrator] < MOST_STREAMS_OF_A_KEY and self._open.total() < MOST_STREAMS - kept

    async def _stream(self, administrator: Administrator) -> AsyncIterator[bytes]:
        if not self._has_room(administrator):  # others have begun since `begin`
            return
        self._open[administrator] += 1
        try:
            before, silent = b"", 0
            while not self._is_ending() and self._service.still_knows(administrator):
                now = await self._event(administrator)
                silent = 0 if now != before else silent + 1
                if now != before:
                    yield now
                elif silent % SILENT_LOOKS == 0:
                    yield KEEP_ALIVE
                before = now
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._open[administrator] -= 1

    async def _event(self, administrator: Administrator) -> bytes:
        """The event `tenants`; or `away` while Redis cannot be reached, since the last state may be out of date."""
        try:
            return _event("tenants", await self._service.states(administrator))
        except (AdminRefusal, RedisError):
            return _event("away", redis_away().body)


def _event(name: str, data: object) -> bytes:
    return event(json.dumps(data).encode(), name)


def router(service: TenantService, is_ending: Callable[[], bool]) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(service.administrator)]  # noqa: N806 - a type
    streams = Streams(service, is_ending)

    @routes.get(
        "/events",
        summary="Every tenant, whenever something changes",
        response_class=StreamingResponse,
        responses={200: DOCUMENTED},
    )
    async def events(admin: Admin) -> StreamingResponse:
        return StreamingResponse(streams.begin(admin), media_type=MEDIA_TYPE, headers=HEADERS)

    return routes
