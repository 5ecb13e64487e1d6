"""One Engine.IO session: what its two state machines decide is carried out here, whatever its transport.

A packet that no client of ours sends ends the session; a fault of ours does not. Must never judge a message, which is
for the connection in its namespace to do.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers
from starlette.types import Scope

from bridge.budget.accounts import Holder
from bridge.socketio import packets
from bridge.socketio.engine import Engine
from bridge.socketio.namespaces import Decision, Join, Leave, Namespaces, Say
from bridge.socketio.ports import Home, JoinRequest, Refusal
from bridge.socketio.transport import Transport
from bridge.sockets.outbox import Wire
from bridge.sockets.ports import Carried

CONNECT_SECONDS: Final = 10.0
"""So long a client may be in no namespace."""
LAST_WORDS_SECONDS: Final = 0.5
"""So long after a refusal a client that is in no namespace is kept."""

log = structlog.get_logger(__name__)


class NamespaceWire:
    """The way back to one client in one namespace."""

    def __init__(self, session: "Session", namespace: str) -> None:
        self._session = session
        self._namespace = namespace
        self.write: Final = session.write

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Leave the namespace after everything written and `last`; leaving the last one ends the session."""
        if last:
            self._session.write(last)
        self._session.dismiss(self._namespace, code, reason)

    def abort(self) -> None:
        """End the session at once."""
        self._session.abort()

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._session.is_over

    def join(self, carried: Carried) -> None:
        """The client is in the namespace from now on."""
        self._session.join(self._namespace, carried)


class Session:
    """One client, in one namespace or in both. A websocket carries it as it would carry a connection."""

    def __init__(self, home: Home, engine: Engine, scope: Scope, address: str, wire: Wire | None = None) -> None:
        """`address`: the one for which its client counts; `wire`: the websocket with which it begins."""
        self.headers: Final = Headers(scope=scope)
        self.query: Final = scope["query_string"].decode("latin-1")
        self.address: Final = address
        self.engine: Final = engine
        self.transport: Final = Transport(engine, home.framed, wire)
        self.namespaces: Final = Namespaces()
        self.is_polling = self.is_posting = False
        self.when_joined: Callable[[Holder], None] = _nobody_pays
        """Called with who pays from now on, each time that its client has joined a namespace."""
        self.over: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self._home = home
        self._joins: set[asyncio.Task[None]] = set()
        self._is_slow = False
        self._unjoined_since = home.now()

    @property
    def sid(self) -> str:
        return self.engine.sid

    @property
    def is_over(self) -> bool:
        """Whether it has ended; its last packets may still wait for a poll."""
        return self.engine.end is not None

    @property
    def holder(self) -> Holder:
        """Who pays for what the client says. There must be a namespace that it has joined."""
        return next(iter(self.namespaces.joined.values())).holder

    def write(self, blob: bytes) -> None:
        """Ready packets. More than the bound makes a slow consumer, whose last words are still taken."""
        if not self.is_over and not self.transport.write(blob) and not self._is_slow:
            self._is_slow = True
            asyncio.get_running_loop().call_soon(self.refuse, "slow_consumer")

    async def answer(self) -> bytes:
        """The body that answers a poll, as soon as there is one."""
        body = await self.transport.answer()
        if body == packets.CLOSE:
            self._home.forget(self.sid)
        return body

    def receive(self, text: str, receipt: object = None) -> None:
        """One packet of a websocket that carries this session. It cannot wait: a CONNECT is looked at in a task."""
        join = self._take(text)
        if join is not None:
            task = asyncio.get_running_loop().create_task(self._join(join))
            self._joins.add(task)
            task.add_done_callback(self._joins.discard)

    async def receive_in_turn(self, text: str) -> None:
        """One packet; a CONNECT is answered before the next packet may come."""
        join = self._take(text)
        if join is not None:
            await self._join(join)

    def receive_upgrade(self, packet: str) -> None:
        """One packet of the websocket that asks whether it may take over."""
        try:
            self.transport.upgrade(packet, self._home.now())
        except packets.Broken:
            self.end_as_broken()

    def _take(self, text: str) -> Join | None:
        """Carry out what follows from one packet, a CONNECT excepted."""
        try:
            return None if self.is_over else self._read(text)
        except packets.Broken:
            self.end_as_broken()
        except Exception:
            log.exception("message_failed")
        return None

    def _read(self, text: str) -> Join | None:
        kind = self.engine.receive(text, self._home.now())
        if kind == "message":
            return self._carry_out(self.namespaces.receive(text[1:]))
        if kind == "goodbye":
            self.end(1000, "closed by the client")
        else:
            self.alive()
        return None

    def _carry_out(self, decision: Decision | None) -> Join | None:
        if isinstance(decision, Join):
            return decision
        if isinstance(decision, Leave):
            decision.carried.lost()
            self._stay_unjoined()
        elif decision is not None:
            self._say(decision)
        return None

    def _say(self, said: Say) -> None:
        if len(said.text.encode()) > self._home.max_message_bytes:
            said.carried.refuse("message_too_big")
        elif said.number is None:
            said.carried.receive(said.text)
        else:
            said.carried.receive(said.text, self._receipt(said.namespace, said.number))

    def _receipt(self, namespace: str, number: int) -> object:
        """What becomes of a message is its acknowledgement."""
        return self._home.doors[namespace].receipt(
            lambda told: self.write(packets.acknowledgement(namespace, number, told))
        )

    async def _join(self, join: Join) -> None:
        try:
            refusal = await self._enter(join)
            if refusal is not None:
                self.write(packets.refused(join.namespace, *refusal))
                asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._end_if_unjoined)
        except Exception:
            log.exception("message_failed")
        finally:
            for packet in self.namespaces.settle(join.namespace):
                self.receive(f"{packets.MESSAGE}{packet}")

    async def _enter(self, join: Join) -> Refusal | None:
        door = self._home.doors.get(join.namespace)
        if door is None:
            return "Connect to the namespace /v3 or /v2.", {"code": "invalid_namespace"}
        fields = parse_qsl(self.query, keep_blank_values=True)
        query = [(name, value) for name, value in fields if name not in join.auth] + list(join.auth.items())
        wire = NamespaceWire(self, join.namespace)
        return await door.enter(JoinRequest(self.headers, query, self.address, wire), dict(query))

    def join(self, namespace: str, carried: Carried) -> None:
        """The client is in a namespace from now on."""
        self.namespaces.joined[namespace] = carried
        self._home.unjoined.discard(self.sid)
        self.when_joined(carried.holder)
        self.write(packets.connected(namespace, secrets.token_urlsafe(12)))

    def dismiss(self, namespace: str, code: int, reason: str) -> None:
        """The server sends the client out of a namespace.

        Whoever shall come back is not told to disconnect, since no client returns from that by itself: it loses the
        session as if by an accident, once every namespace has been told why.
        """
        carried = self.namespaces.joined.pop(namespace, None)
        if not _calls_back(code):
            self.write(packets.disconnected(namespace))
        if carried is not None:
            carried.lost()
        if not self.namespaces.joined:
            self.end(code, reason)
        elif _calls_back(code):
            asyncio.get_running_loop().call_soon(self.end, code, reason)

    def refuse(self, code: str) -> None:
        """Tell every namespace why; who is in none is ended."""
        if code == "binary_not_supported":
            self.end_as_broken()
        for carried in list(self.namespaces.joined.values()):
            carried.refuse(code)
        if not self.namespaces.joined:
            self.end(1008, code)

    def alive(self) -> None:
        """The client answered a ping."""
        for carried in self.namespaces.joined.values():
            carried.alive()

    def end_as_broken(self) -> None:
        """The client said what no client of ours says."""
        self._home.broken += 1
        self.end(1002, "broken packet")

    def end(self, code: int, reason: str) -> None:
        """Nothing more is said; what waits for a poll may still be taken, and then the session is forgotten."""
        if not self.engine.close(code, reason, self._home.now()):
            return
        self.transport.close(1011 if code == 1006 else code, reason)
        if self.engine.transport == "websocket":
            self._home.forget(self.sid)
        self._lose()

    def abort(self) -> None:
        """End it at once."""
        self.end(1006, "aborted")
        self.transport.abort()
        self._home.forget(self.sid)

    def lost(self) -> None:
        """The websocket that was its transport is gone; harmless when repeated."""
        self.engine.close(1001, "the client went away", self._home.now())
        self._home.forget(self.sid)
        self._lose()

    def _lose(self) -> None:
        for join in self._joins:
            join.cancel()
        for carried in self.namespaces.leave_all():
            carried.lost()
        if not self.over.done():
            self.over.set_result(None)

    def look(self, now_seconds: float) -> None:
        """What time alone decides: a ping, the end of who is silent or in no namespace, the last packets untaken."""
        due = self.engine.due(now_seconds)
        if due in ("silence", "unflushed"):
            self.abort()
        elif self.namespaces.is_empty and now_seconds - self._unjoined_since > CONNECT_SECONDS:
            self.end(1008, "nobody connected")
        elif due == "ping":
            self.write(packets.PING)

    def _stay_unjoined(self) -> None:
        if not self.namespaces.joined:
            self._unjoined_since = self._home.now()
            self._home.keep_unjoined(self.sid, self.address)

    def _end_if_unjoined(self) -> None:
        if self.namespaces.is_empty:
            self.end(1008, "refused")


def _nobody_pays(_holder: Holder) -> None:
    """Each request of a session that polls pays for itself."""


def _calls_back(code: int) -> bool:
    """Whether a close code means that the client should connect again."""
    return code == 1012 or code >= 4500
