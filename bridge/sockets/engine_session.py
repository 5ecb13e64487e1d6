"""One Engine.IO session: a client, whatever its transport, in one namespace or in both. It judges no message.

What is said goes past the library's queue of objects: packets are made once for all listeners, and what waits for one
client is bounded in bytes, as any outbox is. What no client of ours would send closes the session.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from engineio.packet import CLOSE, MESSAGE, Packet
from starlette.datastructures import Headers

from bridge.sockets import packets
from bridge.sockets.ends import Carried

PING_INTERVAL_SECONDS: Final = 20
PING_TIMEOUT_SECONDS: Final = 20
CONNECT_SECONDS: Final = 10.0
"""So long a client may take until it is let into a namespace."""
FLUSH_SECONDS: Final = 5.0
LAST_WORDS_SECONDS: Final = 0.5


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
    outbox_bytes: int
    max_message_bytes: int
    broken: int

    def now(self) -> float:
        """Seconds of the loop's clock."""

    def forget(self, sid: str) -> None:
        """The session is over."""


class Socket(Protocol):
    """A websocket under a session."""

    def abort(self) -> None:
        """Cut it off."""


class _Ready(Packet):  # type: ignore[misc]
    """Packets as they are written, made once and shared by all whom they are for."""

    def __init__(self, blob: bytes) -> None:
        super().__init__(MESSAGE)
        self.blob: Final = blob
        self.text: Final = blob.decode()

    def encode(self, b64: bool = False) -> str:  # noqa: FBT001, FBT002 - the library's signature
        return self.text


class Waiting(asyncio.Queue[Any]):
    """The library's queue of one client, which also knows how much waits in it. Unbounded by itself: see `Session`."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def _put(self, item: Any) -> None:
        self.bytes += len(item.blob) if isinstance(item, _Ready) else 0
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.bytes -= len(item.blob) if isinstance(item, _Ready) else 0
        return item


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
        self.arrival: Any = None
        """Whatever the gate keeps of whom it has admitted."""


class Wire:
    """The way back to one client in one namespace."""

    def __init__(self, session: "Session", namespace: str) -> None:
        self._session = session
        self._namespace = namespace
        self.write: Final = session.write

    def begin_close(self, code: int, reason: str) -> None:
        """Leave the namespace after everything written; the last one takes the session along."""
        self._session.leave(self._namespace, code, reason)

    def abort(self) -> None:
        """End the session at once."""
        self._session.abort()


class Session:
    """One Engine.IO session: a client, whatever its transport, in one or more namespaces."""

    def __init__(self, engine: Home, sid: str, environ: Mapping[str, Any]) -> None:
        scope = environ["asgi.scope"]
        self.headers: Final = Headers(scope=scope)
        self.query: Final = str(environ.get("QUERY_STRING", ""))
        self.code = 1000
        self.reason = ""
        self.is_polling = False
        self.heard_at = engine.now()
        self.ended_at: float | None = None
        self.websocket: Socket | None = None
        self._engine = engine
        self._socket = engine.sockets[sid]
        self._sid = sid
        self._since = engine.now()
        self._entered: dict[str, Carried] = {}
        self._is_slow = False

    @property
    def waiting(self) -> Waiting:
        """What waits for the client."""
        queue: Waiting = self._socket.queue
        return queue

    @property
    def is_upgraded(self) -> bool:
        """Whether it has left polling behind."""
        return bool(self._socket.upgraded)

    def write(self, blob: bytes) -> None:
        """Ready packets. More than the bound makes a slow consumer, whose last words are still taken."""
        if self.ended_at is not None:
            return
        waiting = self.waiting
        waiting.put_nowait(_Ready(blob))
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
        self.write(packets.connected(namespace, self._sid))

    def leave(self, namespace: str, code: int, reason: str) -> None:
        """The server sends the client out of a namespace."""
        carried = self._entered.pop(namespace, None)
        self.write(packets.disconnected(namespace))
        if carried is not None:
            carried.lost()
        if not self._entered:
            self.end(code, reason)

    def end(self, code: int, reason: str) -> None:
        """Nothing more is said; what waits is flushed, and then the session is closed."""
        if self.ended_at is not None:
            return
        self.ended_at, self.code, self.reason = self._engine.now(), code, reason
        self._socket.closing = self._socket.closed = True
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
        elif not self._entered and now - self._since > CONNECT_SECONDS:
            self.end(1008, "nobody connected")

    async def receive(self, text: str) -> None:
        """One Socket.IO packet from the client. Whatever is no packet closes the session."""
        if self.ended_at is not None:
            return
        try:
            await self._hear(packets.read(text))
        except packets.Broken:
            self.end_as_broken()

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
            self._entered.pop(packet.namespace).lost()
        else:
            self._say(packet, self._entered[packet.namespace])

    async def _connect(self, packet: packets.Packet) -> None:
        namespace = self._engine.namespaces.get(packet.namespace)
        if packet.namespace in self._entered:
            raise packets.Broken
        auth = packets.auth_of(packet)
        if namespace is None:
            refusal: tuple[str, Any] | None = ("Connect to the namespace /v3 or /v2.", {"code": "invalid_namespace"})
        else:
            knock = Knock(self, packet.namespace, auth)
            refusal = await namespace.enter(knock, knock.given)
        if refusal is not None:
            self.write(packets.refused(packet.namespace, *refusal))
            if not self._entered:
                asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.end, 1008, "refused")

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
