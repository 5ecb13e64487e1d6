"""The event streams of one process: who gets one, and for how long it goes on. It knows no HTTP.

A backend hears by an event stream without being a client. It counts as a connection where places are counted, and is in
nobody's presence, no census and no record.

Decided here: what is said to a client that only an event stream hears was heard, so its sender is not told
`not_connected`. Who listens on a client's channel stands for it; presence says whether the client itself is there.

Once a second each stream is looked at. It ends when it would not be let in any more, when its token expires, and when a
name that it asked for has come to mean somebody else. All end when the process does, and go on at another.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import Metric

from bridge.budget.drain import OutboxBounds
from bridge.budget.outboxes import Outboxes
from bridge.budget.shares import Owner
from bridge.continuity.part import Continuity
from bridge.handshake.authentication import Authentication, Identity
from bridge.handshake.event_stream import EventStream
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Subscriptions
from bridge.messaging.connections import Connections
from bridge.system.metrics import counters, gauges
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant

LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Backend:
    """Who asks for a stream, and for what.

    `channels`: those that it asks for, in its tenant as it was then; `channels_in` returns those that they are in the
    tenant as it is now. `since`: the position with which it comes back; empty if it comes for the first time.
    """

    identity: Identity
    address: str
    tenant: Tenant
    channels: list[bytes]
    channels_in: Callable[[Tenant], list[bytes] | None]
    since: str = ""

    @property
    def owner(self) -> Owner:
        """The tenant, key and address whose share of this process the stream uses."""
        return Owner(self.identity.tenant, self.identity.key_name, self.address)


class EventStreams:
    """All streams of one process. `bounds`: how much may wait for one that begins."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        preflight: Preflight,
        authentication: Authentication,
        table: TenantTable,
        connections: Connections,
        continuity: Continuity,
        outboxes: Outboxes,
    ) -> None:
        self._subscriptions = subscriptions
        self._preflight = preflight
        self._authentication = authentication
        self._table = table
        self._connections = connections
        self._continuity = continuity
        self._outboxes = outboxes
        self.bounds = OutboxBounds()
        self._open: dict[EventStream, _Open] = {}
        self._empty = asyncio.Event()
        self.ended: Final[Counter[str]] = Counter()
        """Reason -> how many streams have ended."""
        connections.closing.add(self._end_all)
        connections.flushes.append(self._wait_until_empty)
        connections.cutting_off.add(self._abort_all)

    async def open(self, backend: Backend, abort: Callable[[], None]) -> EventStream:
        """A stream that has not begun; `abort` ends its socket. Each needs its `close`. Raises `Unavailable`."""
        self._preflight.check_again()
        channels = backend.channels
        await self._subscriptions.listen(backend.owner, channels)
        try:
            stream = await self._stream(backend, abort)
        except BaseException:
            self._subscriptions.let_go(backend.owner, channels)
            raise
        self._open[stream] = _Open(backend, backend.identity.ends_at(self._now()))
        return stream

    async def _stream(self, backend: Backend, abort: Callable[[], None]) -> EventStream:
        since, channels, continuity = backend.since, backend.channels, self._continuity
        returning = await continuity.resume_in_order(since, channels) if since else None
        return EventStream(channels, since, returning, continuity, self.bounds, self._outboxes, abort)

    def close(self, stream: EventStream) -> None:
        """Give back what `open` took."""
        backend = self._open.pop(stream).backend
        stream.lost()
        self._subscriptions.let_go(backend.owner, backend.channels)
        self.ended[stream.ended_with] += 1
        if not self._open:
            self._empty.set()

    async def run(self) -> None:
        """Look at every stream once a second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for stream, opened in list(self._open.items()):
                self._look_at(stream, opened)

    def _look_at(self, stream: EventStream, opened: "_Open") -> None:
        code = self._verdict(opened)
        if code is None:
            stream.look()
        else:
            stream.end(code)

    def _verdict(self, opened: "_Open") -> str | None:
        """The code with which a stream must end; `None` if it may go on."""
        backend, tenant = opened.backend, self._table.of(opened.backend.identity.tenant)
        code = self._authentication.verdict(backend.identity.ticket, tenant.name) or tenant.refuses_v3()
        if code is not None:
            return code
        if opened.ends_at is not None and opened.ends_at <= self._now():
            return "token_expired"
        if tenant is not opened.looked_up_in:
            opened.looked_up_in = tenant
            return None if backend.channels_in(tenant) == backend.channels else "going_away"
        return "going_away" if self._connections.is_closing else None

    def _now(self) -> float:
        return self._connections.epoch_seconds()

    def _end_all(self) -> None:
        for stream in list(self._open):
            stream.end("going_away")

    def _abort_all(self) -> None:
        for stream in list(self._open):
            stream.outbox.abort()

    async def _wait_until_empty(self) -> None:
        self._empty.clear()
        if self._open:
            await self._empty.wait()

    def metrics(self) -> Iterable[Metric]:
        """How many are open, and why others have ended."""
        owners = Counter(opened.backend.identity.tenant for opened in self._open.values())
        yield gauges("bridge_event_streams", "Open event streams.", ("tenant",), owners)
        yield counters("bridge_event_streams_ended", "Event streams that have ended.", ("reason",), self.ended)


class _Open:
    """What is known of an open stream. `looked_up_in`: its tenant, as it was when its names were looked up last."""

    __slots__ = ("backend", "ends_at", "looked_up_in")

    def __init__(self, backend: Backend, ends_at: float | None) -> None:
        self.backend: Final = backend
        self.ends_at: Final = ends_at
        self.looked_up_in = backend.tenant
