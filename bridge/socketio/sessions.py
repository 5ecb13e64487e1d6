"""All Engine.IO sessions of this process: begins them, checks their deadlines once a second, and removes them.

Sessions in a namespace are connections, and bounded as connections. There are at most `MOST_PENDING` sessions in no
namespace: when one more begins, an older one is ended.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from prometheus_client.core import Metric
from starlette.types import Scope

from bridge.budget.budget import Budget
from bridge.budget.client_address import client_address
from bridge.budget.drain import OutboxBounds
from bridge.records.counters import Counts
from bridge.socketio import packets
from bridge.socketio.engine import Engine
from bridge.socketio.pending_sessions import PendingSessions
from bridge.socketio.ports import Door
from bridge.socketio.session import Session
from bridge.sockets.framing import text_frame
from bridge.sockets.outbox import Wire
from bridge.system.metrics import counter
from bridge.system.part import Part, Task

LOOK_SECONDS: Final = 1.0
FLUSH_LOOK_SECONDS: Final = 0.02
MOST_PENDING: Final = 2_000
"""Sessions in no namespace. There must be a bound: a page may begin thousands of sessions without authentication."""
SID_BYTES: Final = 15
"""Random bytes of a session id, as in other servers. `deploy/nginx.conf` recognises an id by its 20 characters."""
ENVELOPE_BYTES: Final = 1_024
"""The most that Engine.IO and Socket.IO add to a message."""

log = structlog.get_logger(__name__)


class Sessions(Part):
    """The sessions of one process, and the namespaces that they may join (`doors`)."""

    def __init__(
        self,
        outbox_bounds: OutboxBounds,
        max_message_bytes: int,
        budget: Budget,
        counts: Counts,
        now: Callable[[], float],
        trusted_proxies: tuple[str, ...] = (),
    ) -> None:
        """`now` returns the time of the event loop's clock, in seconds."""
        self.budget, self.counts, self.now = budget, counts, now
        self._sessions: Final[dict[str, Session]] = {}
        self._trusted_proxies = trusted_proxies
        self._framed: tuple[bytes, bytes] = (b"", b"")
        self.doors: Final[dict[str, Door]] = {}
        self.pending: Final = PendingSessions()
        self.bound(outbox_bounds, max_message_bytes)
        self.begun = self.displaced = self.broken = 0
        """Sessions that began, that ended because others began, and that ended because of an invalid packet."""

    def bound(self, outbox_bounds: OutboxBounds, max_message_bytes: int) -> None:
        """What may wait for each session that begins from now on, and how large a message may be."""
        self.outbox_bounds = outbox_bounds
        self.max_message_bytes = max_message_bytes

    @property
    def most_bytes(self) -> int:
        """Largest size of one POST, and of one frame."""
        return self.max_message_bytes + ENVELOPE_BYTES

    def get(self, sid: str) -> Session | None:
        """The session with this id, or `None`."""
        return self._sessions.get(sid)

    def all(self) -> list[Session]:
        """A new list of all sessions, the oldest first."""
        return list(self._sessions.values())

    def begin(self, scope: Scope, wire: Wire | None = None) -> Session:
        """Begin a session and write its OPEN packet. Its transport is the WebSocket `wire`, or polling without one."""
        sid = secrets.token_urlsafe(SID_BYTES)
        engine = Engine(sid, "polling" if wire is None else "websocket", self.outbox_bounds, self.now())
        session = Session(self, engine, scope, client_address(scope, self._trusted_proxies), wire)
        self.begun += 1
        self._sessions[sid] = session
        self.keep_unjoined(sid, session.address)
        session.write(engine.opening(self.most_bytes))
        return session

    def keep_unjoined(self, sid: str, address: str) -> None:
        """Register a session as one in no namespace; if there are too many, another is aborted."""
        while len(self.pending) >= MOST_PENDING:
            self.displaced += 1
            self._sessions[self.pending.gives_way()].abort()
        self.pending.add(sid, address)

    def framed(self, blob: bytes) -> bytes:
        """Packets as WebSocket text frames. The last result is cached: the hub gives one blob to many listeners."""
        if blob is not self._framed[0]:
            self._framed = blob, b"".join(map(text_frame, blob.split(packets.SEPARATOR)))
        return self._framed[1]

    def forget(self, sid: str) -> None:
        """Remove a session that is over; harmless when repeated."""
        self._sessions.pop(sid, None)
        self.pending.discard(sid)

    def tasks(self) -> Iterable[Task]:
        return (self,)

    def metrics(self) -> Iterable[Metric]:
        yield counter("bridge_socketio_sessions", "Sessions begun.", self.begun)
        words = "Sessions in no namespace that ended because others began."
        yield counter("bridge_socketio_displaced", words, self.displaced)
        yield counter("bridge_socketio_broken", "Sessions closed for what they said.", self.broken)

    def end_all(self) -> None:
        """End all sessions, since the process stops; open polls are answered, and nothing more is heard."""
        for session in self.all():
            session.end(1012, "going_away")
            session.namespaces.hear_nobody()

    async def flushed(self) -> None:
        """Return when polls have taken the last packets of every session that is over."""
        while any(one.is_over and one.engine.outgoing for one in self._sessions.values()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(FLUSH_LOOK_SECONDS)

    async def run(self) -> None:
        """Check the deadlines of all sessions every `LOOK_SECONDS`, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for session in self.all():
                self._look(session)

    def _look(self, session: Session) -> None:
        try:
            session.look(self.now())
        except Exception:
            log.exception("session_failed")
            self.counts.errors += 1
