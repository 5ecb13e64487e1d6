"""Engine.IO 4 for clients that cannot use raw WebSockets, on python-engineio's server: polling, websocket, and upgrade.

The library shakes hands, keeps alive and upgrades. Relies on internals of it that `tests/bridge/sockets/test_engine.py`
holds still: its queue, and how it makes a websocket.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import engineio
from engineio.async_drivers.asgi import _async

from bridge.sockets.ends import ASGI_EXTENSION
from bridge.sockets.engine_session import PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS, Namespace, Session, Waiting

LOOK_SECONDS: Final = 1.0
ENVELOPE_BYTES: Final = 1_024
"""What Engine.IO and Socket.IO put around a message, at most."""
_POSTED: Final = frozenset("134")
_FRAMED: Final = frozenset("12345")
"""What a client's packet may begin with: close, pong, message; over a websocket also the probe and the upgrade."""


class _WebSocket:
    """A websocket as the library wants it: one frame a packet."""

    def __init__(self, engine: "Engine", handler: Callable[..., Any]) -> None:
        self._engine = engine
        self._handler = handler
        self._session = engine.sessions.get(handler.__self__.sid)  # type: ignore[attr-defined]
        self._is_closed = False
        self._scope: Mapping[str, Any] = {}
        self._receive: Any = None
        self._send: Any = None

    async def __call__(self, environ: Mapping[str, Any]) -> str:
        self._scope, self._receive, self._send = environ["asgi.scope"], environ["asgi.receive"], environ["asgi.send"]
        if self._session is not None:
            self._session.websocket = self
        await self._send({"type": "websocket.accept"})
        try:
            await self._handler(self)
        finally:
            await self.close()
        return ""

    async def wait(self) -> str | None:
        """The next packet; `None` ends the session."""
        event = await self._receive()
        if event["type"] != "websocket.receive":
            raise OSError
        text: str | None = event.get("text")
        if self._session is None or self._session.ended_at is not None:
            return None
        if text is None or text[:1] not in _FRAMED:
            self._session.end_as_broken()
            return None
        self._session.sign_of_life(text)
        return text

    async def send(self, message: str) -> None:
        """Packets that were made together, one frame each."""
        for packet in message.split("\x1e"):
            await self._send({"type": "websocket.send", "text": packet})

    async def close(self) -> None:
        """Once, with what the session ended with."""
        if self._is_closed:
            return
        self._is_closed = True
        code, reason = (1000, "") if self._session is None else (self._session.code, self._session.reason)
        with contextlib.suppress(Exception):  # the client may have closed it
            await self._send({"type": "websocket.close", "code": code if code != 1006 else 1011, "reason": reason})

    def abort(self) -> None:
        """Cut it off, if this server can."""
        wire = self._scope.get("extensions", {}).get(ASGI_EXTENSION)
        if wire is not None:
            wire.abort()


class _Quiet:
    """The library's log: what it tells of hostile clients is counted, not written down."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.level = 0

    def _count(self, *_: Any, **__: Any) -> None:
        self._engine.broken += 1

    def _pass(self, *_: Any, **__: Any) -> None:
        """Nobody asks."""

    error = warning = exception = _count
    info = debug = _pass


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """The server and its sessions. As many of them as there may be connections."""

    def __init__(self, outbox_bytes: int, max_message_bytes: int, now: Callable[[], float]) -> None:
        self.sessions: Final[dict[str, Session]] = {}
        self.namespaces: Final[dict[str, Namespace]] = {}
        self.outbox_bytes = outbox_bytes
        self.max_message_bytes = max_message_bytes
        self.now = now
        self.broken = 0
        """Sessions that were closed for what they said."""
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
        self._async: dict[str, Any] = {**_async, "websocket": lambda handler, server: _WebSocket(server, handler)}
        self.on("connect", self._began)
        self.on("message", self._heard)
        self.on("disconnect", self._ended)

    @property
    def most_bytes(self) -> int:
        """Of one POST."""
        return self.max_message_bytes + ENVELOPE_BYTES

    def create_queue(self, *_: Any, **__: Any) -> Waiting:
        return Waiting()

    def forget(self, sid: str) -> None:
        """The session is over."""
        self.sessions.pop(sid, None)
        self.sockets.pop(sid, None)

    def end_all(self) -> None:
        """The process stops: open polls are answered, and nobody is kept."""
        for session in list(self.sessions.values()):
            session.end(1012, "going_away")

    async def run(self) -> None:
        """Look after the sessions until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for session in list(self.sessions.values()):
                session.look(self.now())

    async def receive_all(self, sid: str, texts: Sequence[str]) -> bool:
        """The packets of one POST, in order; false for a session that is not there."""
        session = self.sessions.get(sid)
        if session is None or session.ended_at is not None:
            return False
        for text in texts:
            if text[:1] not in _POSTED:
                session.end_as_broken()
                return False
            session.sign_of_life(text)
            if text[0] == "1":
                session.end(1000, "closed by the client")
            elif text[0] == "3":
                self.sockets[sid].schedule_ping()
            else:
                await session.receive(text[1:])
        return True

    async def _began(self, sid: str, environ: Mapping[str, Any]) -> None:
        self.sessions[sid] = Session(self, sid, environ)

    async def _heard(self, sid: str, data: Any) -> None:
        """One message over a websocket: the library has taken the first character, and read JSON where it could."""
        session = self.sessions.get(sid)
        if session is not None:
            await session.receive(data if isinstance(data, str) else "")

    async def _ended(self, sid: str, _reason: str) -> None:
        session = self.sessions.pop(sid, None)
        if session is not None:
            session.lost()
