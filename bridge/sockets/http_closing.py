"""How an HTTP connection ends: requests that are too slow, too large, invalid, or whose response the client ignores.

It parses nothing and logs nothing: these ends are counted, since unauthenticated clients could fill the log. A response
must not be lost: closing a socket with unread bytes resets it. So the writing side is shut down first, what still
arrives is discarded, and a timer closes the socket after `LINGER_SECONDS`.
"""

from asyncio import TimerHandle
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.sockets.departure import Departure
from bridge.sockets.flow import Flow
from bridge.sockets.head import refusal
from bridge.sockets.patience import Patience
from bridge.sockets.strangers import Strangers
from bridge.sockets.waste import Waste

REQUEST_SECONDS: Final = 8.0
SLOWEST_BYTES_PER_SECOND: Final = 4_096  # lowest average rate of a body that takes longer than that
LINGER_SECONDS: Final = 0.5


class HttpClosing(HttpToolsProtocol):
    """One HTTP connection: the part that ends it."""

    strangers: Strangers = Strangers(1_024, 1_024, 1_024)
    budget: Budget
    flow: Flow
    _holder: Holder
    _in_head: bool
    _body_bytes: int

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._departure = Departure()
        self._waste: Waste | None = None
        self._is_deaf = False
        self._data, self._position = b"", 0
        self._request_timer: TimerHandle | None = None
        self._patience = Patience(self.loop, transport, self.strangers.ended)

    def _expect_request(self) -> None:
        if self._request_timer is None:
            self._begun_at = self.loop.time()
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self._look_at_request)

    def _look_at_request(self) -> None:
        """End the connection if the head is not complete by now, or the body comes too slowly; else check again later.

        A body has `REQUEST_SECONDS` plus one second for each `SLOWEST_BYTES_PER_SECOND` bytes of it that have come.
        """
        self._request_timer = None
        seconds = REQUEST_SECONDS + self._body_bytes / SLOWEST_BYTES_PER_SECOND
        left = 0 if self._in_head else self._begun_at + seconds - self.loop.time()
        if left > 0:
            self._request_timer = self.loop.call_later(left, self._look_at_request)
        else:
            self.strangers.ended["late"] += 1
            self._close()

    def _request_arrived(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _turn_away(self, status: int, headers: bytes = b"") -> None:
        """Refuse the request with this status, unless a response has begun, and end the connection."""
        self.strangers.ended[str(status)] += 1
        cycle: Any = self.cycle
        if cycle is None or not cycle.response_started:
            self.transport.write(refusal(status, headers))
        self._shut()

    def _shut(self) -> None:
        """Shut down the writing side, and discard what still arrives, so that the response is not lost."""
        self._is_deaf = True
        self._data, self._position = b"", 0
        self._request_arrived()
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self._departure.gone()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._waste = Waste(self.budget.turns, self._holder, self.flow.hold, self.flow.release)
        self.flow.release()
        self._request_timer = self.loop.call_later(LINGER_SECONDS, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._patience.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.strangers.gone(self.transport)
        super().connection_lost(exc)
        self._let_go()

    def _let_go(self) -> None:
        """Break reference cycles, so that no garbage collection is needed to free this object."""
        self._is_deaf = True
        self._data = b""
        self._request_arrived()
        self._unset_keepalive_if_required()
        self._patience.end()
        self._departure.gone()
        if self._waste is not None:
            self._waste.end()
        self.scope = self.cycle = self.parser = None  # type: ignore[assignment]
