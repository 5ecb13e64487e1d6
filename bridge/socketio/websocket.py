"""A websocket under an Engine.IO session, from its handshake or by an upgrade, as the library drives it.

Before the library sees a frame it is one that a client may send then: the library would read JSON of any depth into
others, and answer some without end.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from bridge.budget.accounts import Holder
from bridge.socketio import packets
from bridge.socketio.session import Session
from bridge.sockets.ports import ASGI_EXTENSION, pay, vouch

PROBE_SECONDS: Final = 10.0
"""So long each step of an upgrade may take."""


class Home(Protocol):
    """The server, as its websockets know it."""

    sessions: dict[str, Session]

    @property
    def most_bytes(self) -> int:
        """Of one packet."""


class EngineWebSocket:
    """A websocket as the library wants it: one frame a packet. Never raises for what a client does or fails to do."""

    def __init__(self, engine: Home, handler: Callable[..., Any]) -> None:
        self._engine = engine
        self._handler = handler
        self._socket = handler.__self__  # type: ignore[attr-defined]
        self._session = engine.sessions[self._socket.sid]
        self._probe: str | None = None
        self._is_closed = False
        self._scope: Mapping[str, Any] = {}
        self._receive: Any = None
        self._send: Any = None

    async def __call__(self, environ: Mapping[str, Any]) -> str:
        self._scope, self._receive, self._send = environ["asgi.scope"], environ["asgi.receive"], environ["asgi.send"]
        if self._session.websocket is not None:
            await self.close()  # one at a time, or nobody could say which of them hears what
            return ""
        self._session.websocket = self
        self._make_room()
        try:
            await self._try_to_send({"type": "websocket.accept"})
            if await self._is_used():
                holder = self._session.holder
                if holder is not None:
                    self.vouch(holder)
                await self._handler(self)
        finally:
            self._session.websocket = None
            await self.close()
        return ""

    def _make_room(self) -> None:
        """A frame is longer than the message in it, which has the limit of all messages."""
        wire = self._wire
        if wire is not None:
            wire.conn.max_message_size = self._engine.most_bytes

    async def _is_used(self) -> bool:
        """Before an upgrade, whether the probe comes: from then on the library answers polls with nothing."""
        if self._socket.connected:
            self._probe = await self._next()
        return self._probe == packets.PROBE or not self._socket.connected

    async def wait(self) -> str | None:
        """The next packet; `None` ends the websocket."""
        probe, self._probe = self._probe, None
        return probe or await self._next()

    async def _next(self) -> str | None:
        seconds = None if self._session.is_upgraded else PROBE_SECONDS
        try:
            event = await asyncio.wait_for(self._receive(), seconds)
        except TimeoutError:
            return None
        if event["type"] != "websocket.receive" or self._session.ended_at is not None:
            return None
        text: str = event.get("text") or ""
        if not self._may_come(text):
            self._session.end_as_broken()
            return None
        self._session.sign_of_life(text)
        return text

    def _may_come(self, text: str) -> bool:
        if len(text.encode()) > self._engine.most_bytes:
            return False
        return packets.may_come(text) if self._session.is_upgraded else text in (packets.PROBE, packets.UPGRADE)

    async def send(self, message: str) -> None:
        """One packet."""
        await self._try_to_send({"type": "websocket.send", "text": message})

    async def close(self) -> None:
        """Once, with what the session ended with."""
        if self._is_closed:
            return
        self._is_closed = True
        code = self._session.code if self._session.code != 1006 else 1011
        await self._try_to_send({"type": "websocket.close", "code": code, "reason": self._session.reason})

    async def _try_to_send(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the client is gone, or has closed it
            await self._send(message)

    def abort(self) -> None:
        """Cut it off, if this server can."""
        wire = self._wire
        if wire is not None:
            wire.abort()

    def vouch(self, holder: Holder) -> None:
        """Whoever speaks by it has good credentials, and pays for it."""
        vouch(self._scope)
        pay(self._scope, holder)

    @property
    def _wire(self) -> Any:
        return self._scope.get("extensions", {}).get(ASGI_EXTENSION)
