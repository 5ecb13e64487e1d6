"""One Engine.IO session: a client, whatever its transport, in one namespace or in both. It judges no message.

What is said goes past the library's queue of objects: packets are made once for all listeners, and what waits for one
client is bounded in bytes, as any outbox is. What no client of ours would send closes the session.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import structlog
from engineio.packet import CLOSE, Packet
from starlette.datastructures import Headers

from bridge.budget.accounts import Holder
from bridge.socketio import packets
from bridge.socketio.outgoing import Waiting
from bridge.socketio.outside import Outside
from bridge.sockets.ports import Carried, Socket

PING_INTERVAL_SECONDS: Final = 20
PING_TIMEOUT_SECONDS: Final = 20
CONNECT_SECONDS: Final = 10.0
"""So long a client may be in no namespace."""
MOST_CONNECTS: Final = 32
"""So often one session may knock at a namespace: each knock costs as much as a handshake."""
FLUSH_SECONDS: Final = 5.0
LAST_WORDS_SECONDS: Final = 0.5

log = structlog.get_logger(__name__)


class Namespace(Protocol):
    """One language's door."""

    async def enter(self, knock: "Knock", given: Mapping[str, str]) -> tuple[str, Any] | None:
        """Let a client in, or say why not: a sentence, and data for programs."""

    def receipt(self, answer: Callable[[Any], None]) -> Any:
        """What the session tells of one message; `answer` sends it as the acknowledgement."""


class Home(Protocol):
    """The server, as a session knows it."""

    namespaces: Mapping[str, Namespace]
    sockets: dict[str, Any]
    outside: Outside
    outbox_bytes: int
    max_message_bytes: int
    broken: int

    def now(self) -> float:
        """Seconds of the loop's clock."""

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """The address for which a request counts."""

    def keep_outside(self, sid: str, address: str) -> None:
        """A session is in no namespace from now on."""

    def forget(self, sid: str) -> None:
        """The session is over."""


class Knock:
    """One client at the door of one namespace: what it brought, and the way back to it."""

    def __init__(self, session: "Session", namespace: str, auth: Mapping[str, str]) -> None:
        self.session: Final = session
        self.namespace: Final = namespace
        self.headers: Final = session.headers
        query = parse_qsl(session.query, keep_blank_values=True)
        self.query: Final = [(name, value) for name, value in query if name not in auth] + list(auth.items())
        self.given: Final = dict(self.query)
        """What it brought, by name; what it sent with CONNECT counts before what stands in the query."""
        self.wire: Final = Wire(session, namespace)
        self.client: Any = None
        """The client that the gate has admitted."""


class Wire:
    """The way back to one client in one namespace."""

    def __init__(self, session: "Session", namespace: str) -> None:
        self._session = session
        self._namespace = namespace
        self.write: Final = session.write

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Leave the namespace after everything written and `last`; the last one takes the session along."""
        if last:
            self._session.write(last)
        self._session.leave(self._namespace, code, reason)

    def abort(self) -> None:
        """End the session at once."""
        self._session.abort()


class Session:
    """One Engine.IO session. Its `sid` is its client's secret: whoever knows it may speak and hear as that client."""

    def __init__(self, engine: Home, sid: str, environ: Mapping[str, Any]) -> None:
        scope = environ["asgi.scope"]
        self.headers: Final = Headers(scope=scope)
        self.address: Final = engine.address_of(scope)
        self.query: Final = str(environ.get("QUERY_STRING", ""))
        self.code = 1000
        self.reason = ""
        self.is_polling = self.is_posting = False
        self.heard_at = engine.now()
        self.ended_at: float | None = None
        self.websocket: Socket | None = None
        self._engine = engine
        self._socket = engine.sockets[sid]
        self._sid = sid
        self._entered: dict[str, Carried] = {}
        self._knocking: set[str] = set()
        self._connects = 0
        self._is_slow = False
        self._outside_since = engine.now()
        engine.keep_outside(sid, self.address)

    @property
    def waiting(self) -> Waiting:
        """What waits for the client."""
        queue: Waiting = self._socket.queue
        return queue

    @property
    def is_upgraded(self) -> bool:
        """Whether it has left polling behind."""
        return bool(self._socket.upgraded)

    @property
    def holder(self) -> Holder | None:
        """Who pays for what the client says, once it is in a namespace."""
        return next((carried.holder for carried in self._entered.values()), None)

    def write(self, blob: bytes) -> None:
        """Ready packets. More than the bound makes a slow consumer, whose last words are still taken."""
        if self.ended_at is not None:
            return
        waiting = self.waiting
        for packet in packets.ready(blob):
            waiting.put_nowait(packet)
        if waiting.bytes > self._engine.outbox_bytes and not self._is_slow:
            self._is_slow = True
            asyncio.get_running_loop().call_soon(self.refuse, "slow_consumer")

    def refuse(self, code: str) -> None:
        """Tell every namespace, and close."""
        for carried in list(self._entered.values()):
            carried.refuse(code)
        self.end(1008, code)

    def enter(self, namespace: str, carried: Carried) -> None:
        """The client is in a namespace from now on."""
        self._entered[namespace] = carried
        self._engine.outside.discard(self._sid)
        if self.websocket is not None:
            self.websocket.vouch(carried.holder)
        self.write(packets.connected(namespace, secrets.token_urlsafe(12)))

    def leave(self, namespace: str, code: int, reason: str) -> None:
        """The server sends the client out of a namespace.

        Whoever shall come back is not told to disconnect, since no client returns from that by itself: it loses the
        session as if by an accident, once every namespace has been told why.
        """
        carried = self._entered.pop(namespace, None)
        if not _calls_back(code):
            self.write(packets.disconnected(namespace))
        if carried is not None:
            carried.lost()
        if not self._entered:
            self.end(code, reason)
        elif _calls_back(code):
            asyncio.get_running_loop().call_soon(self.end, code, reason)

    def end(self, code: int, reason: str) -> None:
        """Nothing more is said; what waits is flushed, and then the session is closed."""
        if self.ended_at is not None:
            return
        self.ended_at, self.code, self.reason = self._engine.now(), code, reason
        self._socket.closing = self._socket.closed = True
        if self.is_upgraded:
            self.waiting.put_nowait(Packet(CLOSE))
        self.waiting.put_nowait(None)
        self._lose()

    def abort(self) -> None:
        """End it at once."""
        self.end(1006, "aborted")
        if self.websocket is not None:
            self.websocket.abort()
        self._engine.forget(self._sid)

    def lost(self) -> None:
        """The client is gone, or the library closed the session."""
        if self.ended_at is None:
            self.ended_at = self._engine.now()
        self._lose()

    def look(self, now: float) -> None:
        """What time alone decides: nobody was let in, nobody is there, or the last words were not heard."""
        if self.ended_at is not None:
            if now - self.ended_at > FLUSH_SECONDS:
                self.abort()
        elif now - self.heard_at > PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS:
            self.abort()
        elif not (self._entered or self._knocking) and now - self._outside_since > CONNECT_SECONDS:
            self.end(1008, "nobody connected")

    async def receive(self, text: str) -> None:
        """One Socket.IO packet from the client. Whatever is no packet closes the session; a fault of ours does not."""
        if self.ended_at is not None:
            return
        try:
            await self._hear(packets.read(text))
        except packets.Broken:
            self.end_as_broken()
        except Exception:
            log.exception("message_failed")

    def end_as_broken(self) -> None:
        """The client said what no client of ours says."""
        self._engine.broken += 1
        self.end(1002, "broken packet")

    def sign_of_life(self, text: str) -> None:
        """A packet of whatever kind came in; a pong is for the languages to know, too."""
        self.heard_at = self._engine.now()
        if text[:1] == "3":
            for carried in self._entered.values():
                carried.alive()

    async def _hear(self, packet: packets.Packet) -> None:
        if packet.kind == "connect":
            await self._connect(packet)
        elif packet.kind == "ack":
            return  # nothing that is said to clients asks for one
        elif packet.namespace not in self._entered:
            raise packets.Broken
        elif packet.kind == "disconnect":
            self._depart(packet.namespace)
        else:
            self._say(packet, self._entered[packet.namespace])

    def _depart(self, namespace: str) -> None:
        """The client leaves a namespace by itself."""
        self._entered.pop(namespace).lost()
        if not self._entered:
            self._stay_outside()

    def _stay_outside(self) -> None:
        self._outside_since = self._engine.now()
        self._engine.keep_outside(self._sid, self.address)

    async def _connect(self, packet: packets.Packet) -> None:
        name, auth = packet.namespace, packets.auth_of(packet)
        self._connects += 1
        if name in self._entered or name in self._knocking or self._connects > MOST_CONNECTS:
            raise packets.Broken
        self._knocking.add(name)
        try:
            refusal = await self._knock(name, auth)
        finally:
            self._knocking.discard(name)
        if refusal is not None:
            self.write(packets.refused(name, *refusal))
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._end_if_outside)

    async def _knock(self, name: str, auth: Mapping[str, str]) -> tuple[str, Any] | None:
        namespace = self._engine.namespaces.get(name)
        if namespace is None:
            return "Connect to the namespace /v3 or /v2.", {"code": "invalid_namespace"}
        knock = Knock(self, name, auth)
        return await namespace.enter(knock, knock.given)

    def _end_if_outside(self) -> None:
        if not (self._entered or self._knocking):
            self.end(1008, "refused")

    def _say(self, packet: packets.Packet, carried: Carried) -> None:
        text = packets.frame_of(packet)
        if len(text.encode()) > self._engine.max_message_bytes:
            carried.refuse("message_too_big")
        elif packet.number is None:
            carried.receive(text)
        else:
            number, namespace = packet.number, packet.namespace
            receipt = self._engine.namespaces[namespace].receipt(
                lambda said: self.write(packets.acknowledgement(namespace, number, said))
            )
            carried.receive(text, receipt)

    def _lose(self) -> None:
        entered, self._entered = self._entered, {}
        for carried in entered.values():
            carried.lost()


def _calls_back(code: int) -> bool:
    """Whether a close code means that the client should connect again."""
    return code == 1012 or code >= 4500
