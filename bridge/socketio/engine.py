"""Engine.IO 4 for clients that cannot use raw WebSockets, on python-engineio's server: polling, websocket, and upgrade.

The library shakes hands, keeps alive and upgrades. Relies on internals of it that
`tests/bridge/socketio/test_engine.py` holds still: its queue, how it begins a session, and how it makes a websocket.
Whatever it would stumble over is stopped before it sees it.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import engineio
import structlog
from engineio.async_drivers.asgi import _async
from engineio.packet import CLOSE, NOOP, Packet

from bridge.budget.client_address import client_address
from bridge.socketio import packets
from bridge.socketio.outgoing import Waiting
from bridge.socketio.outside import Outside
from bridge.socketio.session import PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS, Namespace, Session
from bridge.socketio.websocket import EngineWebSocket

LOOK_SECONDS: Final = 1.0
MOST_OUTSIDE: Final = 2_000
"""Sessions that are in no namespace: a page may begin them by the thousand, and nobody has asked who it is. Beyond, one
ends for each that begins: see `Outside`."""
ENVELOPE_BYTES: Final = 1_024
"""What Engine.IO and Socket.IO put around a message, at most."""

log = structlog.get_logger(__name__)


class _Quiet:
    """The library's log: what it tells of hostile clients is counted, not written down. A fault of ours is."""

    level = 0

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def _count(self, *_: Any, **__: Any) -> None:
        self._engine.broken += 1

    def _pass(self, *_: Any, **__: Any) -> None:
        """Nobody asks."""

    def exception(self, *_: Any, **__: Any) -> None:
        log.error("engine_failed", exc_info=sys.exception())

    error = warning = _count
    info = debug = _pass


async def _environment(scope: Mapping[str, Any], receive: Any, send: Any) -> dict[str, Any]:
    """What the library reads of a websocket's handshake. Its own makes a class each time, and so leaves a cycle."""
    await receive()
    return {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
        "asgi.scope": scope,
        "asgi.receive": receive,
        "asgi.send": send,
    }


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """The server and its sessions: those in a namespace are connections, and bounded as such; see `MOST_OUTSIDE`."""

    def __init__(
        self,
        outbox_bytes: int,
        max_message_bytes: int,
        now: Callable[[], float],
        trusted_proxies: tuple[str, ...] = (),
    ) -> None:
        self.sessions: Final[dict[str, Session]] = {}
        self.outside: Final = Outside()
        """The sessions that are in no namespace."""
        self._trusted_proxies = trusted_proxies
        self.namespaces: Final[dict[str, Namespace]] = {}
        self.outbox_bytes = outbox_bytes
        self.max_message_bytes = max_message_bytes
        self.now = now
        self.broken = 0
        """Sessions that were closed for what they said."""
        self.begun = self.displaced = 0
        self._pings: dict[str, asyncio.Future[None]] = {}
        super().__init__(
            async_mode="asgi",
            async_handlers=False,
            cors_allowed_origins=[],
            http_compression=False,
            monitor_clients=False,
            ping_interval=PING_INTERVAL_SECONDS,
            ping_timeout=PING_TIMEOUT_SECONDS,
            max_http_buffer_size=self.most_bytes,
            logger=_Quiet(self),
        )
        self._async: dict[str, Any] = {
            **_async,
            "translate_request": _environment,
            "websocket": lambda handler, server: EngineWebSocket(server, handler),
        }
        self.on("connect", self._began)
        self.on("message", self._heard)
        self.on("disconnect", self._ended)

    mark: str = ""
    """What the ids of its sessions begin with, where several workers share a port."""

    def generate_id(self) -> str:
        return f"{self.mark}{super().generate_id()}"

    @property
    def most_bytes(self) -> int:
        """Of one POST."""
        return self.max_message_bytes + ENVELOPE_BYTES

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """The address for which a request counts."""
        return client_address(scope, self._trusted_proxies)

    def keep_outside(self, sid: str, address: str) -> None:
        """A session is in no namespace from now on; where there are too many, another ends."""
        while len(self.outside) >= MOST_OUTSIDE:
            self.displaced += 1
            self.sessions[self.outside.gives_way()].abort()
        self.outside.add(sid, address)

    def create_queue(self, *_: Any, **__: Any) -> Waiting:
        return Waiting()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> "asyncio.Future[None]":
        """The library's pings: a session has one at a time, and it ends with the session."""
        ping: asyncio.Future[None] = asyncio.ensure_future(target(*args, **kwargs))
        self._pings[target.__self__.sid] = ping
        return ping

    def forget(self, sid: str) -> None:
        """The session is over."""
        self.sessions.pop(sid, None)
        self.sockets.pop(sid, None)
        self.outside.discard(sid)
        ping = self._pings.pop(sid, None)
        if ping is not None:
            ping.cancel()

    def end_all(self) -> None:
        """The process stops: open polls are answered, and nobody is kept."""
        for session in list(self.sessions.values()):
            session.end(1012, "going_away")

    async def run(self) -> None:
        """Look after the sessions until cancelled."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                for session in list(self.sessions.values()):
                    self._look(session)
        finally:
            for ping in self._pings.values():
                ping.cancel()

    def _look(self, session: Session) -> None:
        try:
            session.look(self.now())
        except Exception:
            log.exception("session_failed")

    async def begin(self, scope: Mapping[str, Any]) -> bytes:
        """A session that polls: the packet that tells its client so."""
        query = scope["query_string"].decode("latin-1")
        began = await self._handle_connect({"asgi.scope": scope, "QUERY_STRING": query}, "polling")
        opening: bytes = began["response"]
        return opening

    async def poll(self, sid: str) -> bytes:
        """What waits for a client that polls, as soon as anything does; when all was said, the close.

        That comes alone: with it in one answer, npm's client would take the last words for those of a later session.
        """
        session = self.sessions[sid]
        if self.sockets[sid].upgrading:
            return _as_bytes(Packet(NOOP))
        is_over = session.ended_at is not None and session.waiting.empty()
        taken = (
            [] if is_over else [each for each in await session.waiting.some(packets.MOST_PACKETS) if each is not None]
        )
        if not taken:
            self.forget(sid)
            return _as_bytes(Packet(CLOSE))
        return packets.SEPARATOR.join(_as_bytes(each) for each in taken)

    async def receive_all(self, sid: str, texts: Sequence[str]) -> bool:
        """The packets of one POST, in order; false for a session that is over, or is from now on."""
        session = self.sessions.get(sid)
        if session is None or session.ended_at is not None:
            return False
        for text in texts:
            if not packets.may_come(text):
                session.end_as_broken()
                return False
            session.sign_of_life(text)
            await self._take(session, sid, text)
        return True

    async def _take(self, session: Session, sid: str, text: str) -> None:
        if text == packets.GOODBYE:
            session.end(1000, "closed by the client")
        elif text == packets.PONG and sid in self.sockets:
            self.sockets[sid].schedule_ping()
        else:
            await session.receive(text[1:])

    async def _began(self, sid: str, environ: Mapping[str, Any]) -> None:
        self.begun += 1
        self.sessions[sid] = Session(self, sid, environ)

    async def _heard(self, sid: str, data: Any) -> None:
        """One message over a websocket: the library has taken the first character, and read JSON where it could."""
        session = self.sessions.get(sid)
        if session is not None:
            await session.receive(data if isinstance(data, str) else "")

    async def _ended(self, sid: str, _reason: str) -> None:
        session = self.sessions.get(sid)
        if session is not None:
            session.lost()
            self.forget(sid)


def _as_bytes(packet: Any) -> bytes:
    text: bytes = packet.blob if isinstance(packet, packets.Ready) else packet.encode().encode()
    return text
