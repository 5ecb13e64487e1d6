"""How an HTTP connection ends: requests that are too slow, too large, invalid, or whose response the client ignores.

It parses nothing and logs nothing: these ends are counted, since unauthenticated clients could fill the log. A response
must not be lost: closing a socket with unread bytes resets it. So the writing side is shut down first, what still
arrives is discarded, and a timer closes the socket after `LINGER_SECONDS`.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.sockets.departure import Departure
from bridge.sockets.discarded_input import DiscardedInput
from bridge.sockets.flow import Flow
from bridge.sockets.head import refusal
from bridge.sockets.request_deadline import RequestDeadline
from bridge.sockets.response_deadline import ResponseDeadline
from bridge.sockets.strangers import Strangers

LINGER_SECONDS: Final = 0.5


class HttpClosing(HttpToolsProtocol):
    """One HTTP connection: the part that ends it."""

    strangers: Strangers
    budget: Budget
    flow: Flow
    _holder: Holder

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._departure = Departure()
        self._discarded: DiscardedInput | None = None
        self._discards_input = False
        self._data, self._position = b"", 0
        self._deadline = RequestDeadline(self.loop)
        self._response_deadline = ResponseDeadline(self.loop, transport, self.strangers.ended)

    def _end_late(self) -> None:
        self.strangers.ended["late"] += 1
        self._close()

    def _refuse_request(self, status: int, headers: bytes = b"") -> None:
        """Refuse the request with this status, unless a response has begun, and end the connection."""
        self.strangers.ended[str(status)] += 1
        cycle: Any = self.cycle
        if cycle is None or not cycle.response_started:
            self.transport.write(refusal(status, headers))
        self._shut()

    def _shut(self) -> None:
        """Shut down the writing side, and discard what still arrives, so that the response is not lost."""
        self._discards_input = True
        self._data, self._position = b"", 0
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self._departure.gone()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._discarded = DiscardedInput(self.budget.turns, self._holder, self.flow.hold, self.flow.release)
        self.flow.release()
        self._deadline.linger(LINGER_SECONDS, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._response_deadline.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.strangers.gone(self.transport)
        super().connection_lost(exc)
        self._break_cycles()

    def _break_cycles(self) -> None:
        """Break reference cycles, so that no garbage collection is needed to free this object."""
        self._discards_input = True
        self._data = b""
        self._deadline.end()
        self._unset_keepalive_if_required()
        self._response_deadline.end()
        self._departure.gone()
        if self._discarded is not None:
            self._discarded.end()
        self.scope = self.cycle = self.parser = None  # type: ignore[assignment]
