"""HTTP response with a report: it is made when its turn comes, and given up when the client disconnects. No routes.

The turn lasts until the answer is sent, so that at most one answer of each tenant is in memory unread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.admin.large_answer import in_words, send_words
from bridge.api.errors import AdminRefusal
from bridge.records.report_turns import ReportTurns, TooManyReports


class ReportAnswer(Response):
    """`make` returns the report about a tenant, as JSON data. `key`: the key with which the client asks for it."""

    media_type = "application/json"

    def __init__(self, turns: ReportTurns, tenant: str, key: Hashable, make: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._turn = turns.turn(tenant, key)
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `AdminRefusal` (503) if the key asks for too many reports at once, and what `make` raises."""
        asking = cast("asyncio.Task[object]", asyncio.current_task())
        leaving = asyncio.ensure_future(_left(receive))
        leaving.add_done_callback(end := lambda _: asking.cancel())
        try:
            await self._tell(send)
        except asyncio.CancelledError:
            if not leaving.done() or asking.uncancel():
                raise  # not because the client has disconnected
        finally:
            leaving.remove_done_callback(end)
            leaving.cancel()

    async def _tell(self, send: Send) -> None:
        try:
            async with self._turn:
                await send_words(send, self.raw_headers, await in_words(await self._make()))
        except TooManyReports:
            sentence = "Other reports of this tenant are asked for with this key; try again later."
            raise AdminRefusal(503, "overloaded", sentence) from None


async def _left(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
