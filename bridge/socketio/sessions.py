"""All Engine.IO sessions of this process: each begins here, is looked at once a second, and is forgotten at its end.

Sessions in a namespace are connections, and bounded as such. Of those that have joined none there are at most
`MOST_UNJOINED`: with one more, an older one ends.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from prometheus_client.core import Metric
from starlette.types import Scope

from bridge.budget.client_address import client_address
from bridge.socketio import packets
from bridge.socketio.engine import Engine
from bridge.socketio.ports import Door
from bridge.socketio.session import Session
from bridge.socketio.unjoined import Unjoined
from bridge.sockets.framing import text_frame
from bridge.sockets.outbox import Wire
from bridge.system.metrics import counter
from bridge.system.part import Part, Task

LOOK_SECONDS: Final = 1.0
MOST_UNJOINED: Final = 2_000
"""A page may begin sessions by the thousand, and nobody has asked who it is."""
SID_BYTES: Final = 15
"""As many as in the ids of other servers; `deploy/nginx.conf` tells an id by its 20 characters."""
ENVELOPE_BYTES: Final = 1_024
"""What Engine.IO and Socket.IO put around a message, at most."""

log = structlog.get_logger(__name__)


class Sessions(Part):
    """The sessions by their ids, and the namespaces that they may join (`doors`)."""

    def __init__(
        self,
        outbox_bytes: int,
        max_message_bytes: int,
        now: Callable[[], float],
        trusted_proxies: tuple[str, ...] = (),
    ) -> None:
        """`now`: the seconds of the loop's clock."""
        self._sessions: Final[dict[str, Session]] = {}
        self._trusted_proxies = trusted_proxies
        self._outbox_bytes = outbox_bytes
        self._framed: tuple[bytes, bytes] = (b"", b"")
        self.doors: Final[dict[str, Door]] = {}
        self.unjoined: Final = Unjoined()
        self.max_message_bytes = max_message_bytes
        self.now = now
        self.broken = 0
        """Sessions that were closed for what they said."""
        self.begun = self.displaced = 0

    @property
    def most_bytes(self) -> int:
        """Of one POST, and of one frame."""
        return self.max_message_bytes + ENVELOPE_BYTES

    def get(self, sid: str) -> Session | None:
        """The session of this id, if there is one."""
        return self._sessions.get(sid)

    def all(self) -> list[Session]:
        """Every session as of now, the oldest first."""
        return list(self._sessions.values())

    def begin(self, scope: Scope, wire: Wire | None = None) -> Session:
        """A session that polls, or one whose transport is this websocket; it has written its opening packet."""
        sid = secrets.token_urlsafe(SID_BYTES)
        engine = Engine(sid, "polling" if wire is None else "websocket", self._outbox_bytes, self.now())
        session = Session(self, engine, scope, client_address(scope, self._trusted_proxies), wire)
        self.begun += 1
        self._sessions[sid] = session
        self.keep_unjoined(sid, session.address)
        session.write(engine.opening(self.most_bytes))
        return session

    def keep_unjoined(self, sid: str, address: str) -> None:
        """A session is in no namespace from now on; where there are too many, another ends."""
        while len(self.unjoined) >= MOST_UNJOINED:
            self.displaced += 1
            self._sessions[self.unjoined.gives_way()].abort()
        self.unjoined.add(sid, address)

    def framed(self, blob: bytes) -> bytes:
        """Packets as the frames of a websocket. The hub hands one blob to many listeners in a row: framed once."""
        if blob is not self._framed[0]:
            self._framed = blob, b"".join(map(text_frame, blob.split(packets.SEPARATOR)))
        return self._framed[1]

    def forget(self, sid: str) -> None:
        """The session is over; harmless when repeated."""
        self._sessions.pop(sid, None)
        self.unjoined.discard(sid)

    def tasks(self) -> Iterable[Task]:
        return (self,)

    def metrics(self) -> Iterable[Metric]:
        yield counter("bridge_socketio_sessions", "Sessions begun.", self.begun)
        words = "Sessions in no namespace that ended because others began."
        yield counter("bridge_socketio_displaced", words, self.displaced)
        yield counter("bridge_socketio_broken", "Sessions closed for what they said.", self.broken)

    def end_all(self) -> None:
        """The process stops: open polls are answered, and nobody is kept."""
        for session in self.all():
            session.end(1012, "going_away")

    async def run(self) -> None:
        """Look at the sessions until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for session in self.all():
                self._look(session)

    def _look(self, session: Session) -> None:
        try:
            session.look(self.now())
        except Exception:
            log.exception("session_failed")
