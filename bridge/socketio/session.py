"""One Engine.IO session: carries out what its two state machines decide, on any transport.

An invalid packet of the client ends the session; an unexpected exception of the bridge does not. It must never check a
message: the connection in its namespace does.
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
from bridge.socketio.engine import FEW_PACKETS, FLUSH_SECONDS, Engine, calls_back
from bridge.socketio.namespace_wire import NamespaceWire
from bridge.socketio.namespaces import Decision, Join, Leave, Namespaces, Refuse, Say
from bridge.socketio.packet_budget import PacketBudget
from bridge.socketio.pending_sessions import CONNECT_SECONDS
from bridge.socketio.ports import Home, JoinRequest, Refusal
from bridge.socketio.transport import Transport
from bridge.sockets.outbox import Wire
from bridge.sockets.ports import HEARD_OUT, Carried
from v3.refusals import REFUSALS

NO_OBJECT: Final = "Send `auth` as one small object, such as {api_key, group_id, client_id}."
LAST_WORDS_SECONDS: Final = 0.5
"""How long after a refusal a client in no namespace is kept, so that it receives the refusal."""
FAREWELL_SECONDS: Final = 2.0
"""How long a client is heard after its poll was given up: longer than a new connection takes."""

log = structlog.get_logger(__name__)


class Session:
    """The session of one client, in one namespace or in both. For its WebSocket it takes the place of a connection."""

    def __init__(self, home: Home, engine: Engine, scope: Scope, address: str, wire: Wire | None = None) -> None:
        """`address`: the client's IP address, for shares and budgets. `wire`: its WebSocket, if it begins with one."""
        self.headers: Final = Headers(scope=scope)
        self.query: Final = scope["query_string"].decode("latin-1")
        self.address: Final = address
        self.engine: Final = engine
        self.transport: Final = Transport(engine, home, wire, lambda: self.refuse("slow_consumer"))
        self.budget: Final = PacketBudget(home.budget, address)
        self.namespaces: Final = Namespaces()
        self.is_polling = self.is_left = False
        self.when_joined: Callable[[Holder], None] = _nobody_pays
        """Called with the holder that pays from now on, each time the client has joined a namespace."""
        self.over: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self._home = home
        self._joins: set[asyncio.Task[None]] = set()
        self._unjoined_since = home.now()

    @property
    def sid(self) -> str:
        return self.engine.sid

    @property
    def is_over(self) -> bool:
        """Whether the session has ended. Its last packets may still wait for a poll."""
        return self.engine.end is not None

    @property
    def holder(self) -> Holder:
        """The holder that pays for the client's messages; while it is in no namespace, that of its address."""
        return next((carried.holder for carried in self.namespaces.joined.values()), self.budget.stranger)

    def write(self, blob: bytes) -> None:
        """Write packets; nothing is written any more when the session is over."""
        if not self.is_over:
            self.transport.write(blob)

    async def answer(self, most_packets: int = FEW_PACKETS) -> bytes:
        """Wait for packets; returns the response body for a poll. It is empty if the client should connect again."""
        self.engine.heard(self._home.now())
        body = await self.transport.answer(most_packets)
        if self.engine.is_told and not self.namespaces.hears_out:
            self._home.forget(self.sid)  # else `look` forgets it, when what its client has said meanwhile has come
        return body

    def receive(self, text: str, receipt: object = None) -> None:
        """Handle one packet of the session's WebSocket. It must not wait, so a CONNECT is handled in a task."""
        if (join := self.take(text)) is not None:
            task = asyncio.get_running_loop().create_task(self.enter(join))
            self._joins.add(task)
            task.add_done_callback(self._joins.discard)

    async def receive_in_turn(self, text: str) -> None:
        """Handle one packet. A CONNECT is answered before this returns."""
        if (join := self.take(text)) is not None:
            await self.enter(join)

    def receive_upgrade(self, packet: str) -> None:
        """Handle one packet of a WebSocket that wants to take over."""
        try:
            self.transport.upgrade(packet, self._home.now())
        except packets.Broken:
            self.end_as_broken()

    def take(self, text: str) -> Join | None:
        """Carry out what follows from one packet; a CONNECT is returned instead."""
        try:
            if not self.is_over:
                return self._read(text)
            self._hear_out(text)
        except packets.Broken:
            self.end_as_broken()
        except Exception:
            log.exception("message_failed")
            self._home.counts.errors += 1
        return None

    def _read(self, text: str) -> Join | None:
        if self.namespaces.takes_attachment():
            return None
        kind = self.engine.receive(text, self._home.now())
        if kind == "message":
            return self._carry_out(self.namespaces.receive(text[1:]))
        if kind == "binary":
            self.refuse("binary_not_supported")
        elif kind == "goodbye":
            self.end(1000, "closed by the client")
        else:
            self.alive()
        return None

    def _hear_out(self, text: str) -> None:
        """The session is over: of what its client said before it could know, only its events are heeded."""
        if text[:1] == packets.MESSAGE and self.namespaces.hears_out:
            decision = self.namespaces.receive(text[1:])
            if isinstance(decision, Say):
                self._say(decision)

    def _carry_out(self, decision: Decision | None) -> Join | None:
        if isinstance(decision, Join):
            return decision
        if isinstance(decision, Leave):
            decision.carried.lost()
            self._stay_unjoined()
        elif isinstance(decision, Refuse):
            decision.carried.refuse(decision.code)
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
        """A receipt that sends the result of a message as its acknowledgement."""
        return self._home.doors[namespace].receipt(
            lambda told: self.write(packets.acknowledgement(namespace, number, told))
        )

    async def enter(self, join: Join) -> None:
        """Admit the client to a namespace, or refuse it; then handle the packets that waited for this."""
        try:
            refusal = await self._refusal(join)
            if refusal is not None:
                self.write(packets.refused(join.namespace, *refusal))
                asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._end_if_unjoined)
        except Exception:
            log.exception("message_failed")
            self._home.counts.errors += 1
        finally:
            for packet in self.namespaces.settle(join.namespace):
                self.receive(f"{packets.MESSAGE}{packet}")

    async def _refusal(self, join: Join) -> Refusal | None:
        door = self._home.doors.get(join.namespace)
        if door is None:
            return "Connect to the namespace /v3 or /v2.", {"code": "invalid_namespace"}
        if join.auth is None:
            return NO_OBJECT, {"code": "unauthenticated", "retry": False}
        fields = parse_qsl(self.query, keep_blank_values=True)
        query = [(name, value) for name, value in fields if name not in join.auth] + list(join.auth.items())
        wire = NamespaceWire(self, join.namespace)
        return await door.enter(JoinRequest(self.headers, query, self.address, wire), dict(query))

    def join(self, namespace: str, carried: Carried) -> None:
        """Add the connection `carried` to a namespace, and confirm it to the client."""
        self.namespaces.joined[namespace] = carried
        self._home.pending.discard(self.sid)
        self.when_joined(carried.holder)
        self.write(packets.connected(namespace, secrets.token_urlsafe(12)))

    def dismiss(self, namespace: str, code: int, reason: str) -> None:
        """Remove the client from a namespace, for a reason of the server.

        A client that should connect again gets no DISCONNECT packet, since clients do not reconnect after one. Instead
        the whole session ends, as if the connection had failed, after every namespace was told the reason.
        """
        carried = self.namespaces.dismiss(namespace, is_heard_out=reason in HEARD_OUT)
        if not calls_back(code):
            self.write(packets.disconnected(namespace))
        if carried is not None:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.namespaces.hear_no_more, namespace, carried)
            carried.lost()
        if not self.namespaces.joined:
            self.end(code, reason)
        elif calls_back(code):
            asyncio.get_running_loop().call_soon(self.end, code, reason)

    def refuse(self, code: str) -> None:
        """Refuse with this code in every namespace; end the session if the client is in none."""
        if code == "binary_not_supported" and self.namespaces.takes_attachment():
            return
        for carried in list(self.namespaces.joined.values()):
            carried.refuse(code)
        if not self.namespaces.joined:
            self.end(REFUSALS[code].close or 1008, code)

    reads_binary: Final = False

    def taken_all(self) -> None:
        """Its WebSocket has brought its client everything. Of polls nobody knows: what answers them may be lost."""
        for carried in self.namespaces.heard:
            carried.taken_all()

    def alive(self) -> None:
        """The client has given a sign of life: it answered a ping, or its WebSocket has brought something."""
        self.engine.heard(self._home.now())
        for carried in self.namespaces.joined.values():
            carried.alive()

    def end_as_broken(self) -> None:
        """End the session because of an invalid packet, and count it."""
        self._home.broken += 1
        self.end(1002, "broken packet")

    def end(self, code: int, reason: str) -> None:
        """End the session. A poll may still take the waiting packets; then the session is removed."""
        if not self.engine.close(code, reason, self._home.now()):
            return
        self.transport.close(1011 if code == 1006 else code, reason)
        if self.engine.transport == "websocket":
            self._home.forget(self.sid)
        self._lose()

    def leave(self) -> None:
        """End the session soon, since its poll is gone: what the client says in farewell may still be on its way."""
        self.is_left = True
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self.end, 1001, "the client went away")

    def abort(self) -> None:
        """End the session at once; waiting packets are dropped."""
        self.end(1006, "aborted")
        self.transport.abort()
        self._home.forget(self.sid)

    def lost(self) -> None:
        """End the session, because its WebSocket is gone; harmless when repeated."""
        self.engine.close(1001, "the client went away", self._home.now())
        self._home.forget(self.sid)
        self._lose()

    def _lose(self) -> None:
        self.transport.over()
        for join in self._joins:
            join.cancel()
        for carried in self.namespaces.leave_all():
            carried.lost()
        if not self.over.done():
            self.over.set_result(None)

    def look(self, now_seconds: float) -> None:
        """Do what is due at this time: send a ping, or end the session.

        It ends when the client is silent, is in no namespace for `CONNECT_SECONDS`, or does not take the last packets.
        """
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
    """The `when_joined` of a session that polls: there each HTTP request is charged by itself."""
