"""A Socket.IO server without a network: its namespaces note who comes, and its clock stands still until told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.budget.drain import OutboxBounds
from bridge.config.settings import Settings
from bridge.records.counters import Counts
from bridge.socketio.ports import JoinRequest, Refusal
from bridge.socketio.session import Session
from bridge.socketio.sessions import Sessions
from bridge.sockets.ports import Carried as CarriedByAny
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.bridge.sockets.payloads import payloads

OUTBOX_BYTES = 10_000
OUTBOX_BYTES_PER_SECOND = 5_000
MESSAGE_BYTES = 1_000
EVENT = b'42/v3,["message",{}]'
POLLING = "EIO=4&transport=polling"


class Carried:
    """A connection that notes what its socket tells it, and says what it refuses, as its session would."""

    def __init__(self, request: JoinRequest) -> None:
        self.wire = request.wire
        self.query = request.query
        self.given = dict(request.query)
        self.received: list[tuple[str, Any]] = []
        self.refusals: list[str] = []
        self.pongs = 0
        self.losses = 0
        self.has_taken_all = False
        self.close_code = 4508
        self.payer = Holder()
        self.reads_binary = True

    def receive(self, text: str, receipt: Any = None) -> None:
        self.received.append((text, receipt))
        if text == "a fault of ours":
            raise ZeroDivisionError

    def refuse(self, code: str) -> None:
        self.refusals.append(code)
        self.wire.write(b'42/v3,["message",{"refused":"%b"}]' % code.encode())
        if code != "rate_limited":
            self.wire.begin_close(1009 if code == "message_too_big" else self.close_code, code)

    @property
    def holder(self) -> Holder:
        return self.payer

    def alive(self) -> None:
        self.pongs += 1

    def taken_all(self) -> None:
        self.has_taken_all = True

    def lost(self) -> None:
        self.losses += 1


@dataclass
class Door:
    """A namespace: whom it let in. It keeps a client waiting while `is_open` is not set, and refuses with `refusal`."""

    refusal: Refusal | None = None
    guests: list[Carried] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, request: JoinRequest, given: Mapping[str, str]) -> Refusal | None:
        await self.is_open.wait()
        if self.refusal is None:
            assert given == dict(request.query)
            self.guests.append(Carried(request))
            request.wire.join(self.guests[-1])
        return self.refusal

    def receipt(self, answer: Callable[[object], None]) -> Any:
        return answer


class Wire:
    """A websocket of our server, from below: what was written to it, and how it was closed."""

    def __init__(self) -> None:
        self.written = b""
        self.closes: list[tuple[int, str]] = []
        self.aborts = 0
        self.attached: list[CarriedByAny] = []
        self.payers: list[Holder] = []

    @property
    def heard(self) -> list[str]:
        """What was written, packet by packet."""
        return [payload.decode() for payload in payloads(self.written)]

    def write(self, frames: bytes) -> None:
        self.written += frames

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        if not self.closes:
            self.written += last
            self.closes.append((code, reason))
            for carried in self.attached:
                carried.lost()

    def abort(self) -> None:
        self.aborts += 1

    def attach(self, carried: CarriedByAny) -> None:
        self.attached.append(carried)

    def pays(self, holder: Holder) -> None:
        self.payers.append(holder)


class Home:
    """Sessions with two namespaces whose doors stand open."""

    def __init__(self) -> None:
        self.time = 0.0
        self.budget = Budget(Settings().limits)
        self.counts = Counts()
        self.sessions = self.sessions_with(OUTBOX_BYTES)
        self.v3, self.v2 = Door(), Door()
        self.sessions.doors.update({"/v3": self.v3, "/v2": self.v2})
        for door in (self.v3, self.v2):
            door.is_open.set()

    def sessions_with(self, outbox_bytes: int) -> Sessions:
        bounds = OutboxBounds(outbox_bytes, OUTBOX_BYTES_PER_SECOND)
        return Sessions(bounds, MESSAGE_BYTES, self.budget, self.counts, lambda: self.time)

    @property
    def sids(self) -> list[str]:
        """The sessions that there are, the oldest first."""
        return [session.sid for session in self.sessions.all()]

    def begin_with(self, wire: Wire | None, query: str = POLLING, address: str = "127.0.0.1") -> Session:
        scope = {"type": "http", "query_string": query.encode(), "headers": [], "client": (address, 1)}
        return self.sessions.begin(scope, wire)

    async def begin(self, query: str = POLLING, address: str = "127.0.0.1") -> Session:
        """A session that polls, and has heard its opening."""
        session = self.begin_with(None, query, address)
        assert (await session.answer())[:1] == b"0"
        return session

    async def joined(self, *namespaces: str) -> Session:
        """A session in these namespaces, that has heard so."""
        session = await self.begin()
        for namespace in namespaces:
            await session.receive_in_turn(f"40{namespace},{{}}")
        if namespaces:
            await session.answer()
        return session

    async def joined_over(self, wire: Wire, *namespaces: str) -> Session:
        """A session that began with this websocket, which carries it."""
        session = self.begin_with(wire)
        for namespace in namespaces:
            await session.receive_in_turn(f"40{namespace},{{}}")
        wire.attach(session)
        return session

    def look(self, seconds: float) -> None:
        """So much later, at the sessions."""
        self.time += seconds
        for session in self.sessions.all():
            session.look(self.time)


async def heard(session: Session) -> list[str]:
    """What a poll brings."""
    return (await asyncio.wait_for(session.answer(), ANSWER_SECONDS)).decode().split("\x1e")


def code_of(session: Session) -> int | None:
    """With what it ended."""
    return None if session.engine.end is None else session.engine.end.code


def reason_of(session: Session) -> str | None:
    return None if session.engine.end is None else session.engine.end.reason


class Logged:
    """A log that keeps the events that it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def error(self, event: str, **_more: Any) -> None:
        self.events.append(event)

    exception = error
