"""A Socket.IO server without a network: its namespaces note who comes, and its clock stands still until told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.budget.accounts import Holder
from bridge.socketio.engine import Engine
from bridge.socketio.session import Knock, Session
from tests.bridge.broker.parts import ANSWER_SECONDS

OUTBOX_BYTES = 10_000
MESSAGE_BYTES = 1_000


class Carried:
    """A connection that notes what its socket tells it, and says what it refuses, as its session would."""

    def __init__(self, knock: Knock) -> None:
        self.wire = knock.wire
        self.given = knock.given
        self.query = knock.query
        self.received: list[tuple[str, Any]] = []
        self.refusals: list[str] = []
        self.pongs = 0
        self.losses = 0
        self.close_code = 4508

    def receive(self, text: str, receipt: Any = None) -> None:
        self.received.append((text, receipt))
        if text == "a fault of ours":
            raise ZeroDivisionError

    def refuse(self, code: str) -> None:
        self.refusals.append(code)
        self.wire.write(b'42/v3,["message",{"refused":"%b"}]' % code.encode())
        self.wire.begin_close(1009 if code == "message_too_big" else self.close_code, code)

    @property
    def holder(self) -> Holder:
        return Holder()

    def alive(self) -> None:
        self.pongs += 1

    def lost(self) -> None:
        self.losses += 1


@dataclass
class Door:
    """A namespace: whom it let in. It keeps a client waiting while `is_open` is not set, and refuses with `refusal`."""

    refusal: tuple[str, Any] | None = None
    guests: list[Carried] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, knock: Knock, given: Mapping[str, str]) -> tuple[str, Any] | None:
        await self.is_open.wait()
        if self.refusal is None:
            self.guests.append(Carried(knock))
            knock.session.enter(knock.namespace, self.guests[-1])
        return self.refusal

    def receipt(self, answer: Callable[[Any], None]) -> Any:
        return answer


class Home:
    """An engine with two namespaces whose doors stand open."""

    def __init__(self) -> None:
        self.time = 0.0
        self.engine = Engine(OUTBOX_BYTES, MESSAGE_BYTES, lambda: self.time)
        self.v3, self.v2 = Door(), Door()
        self.engine.namespaces.update({"/v3": self.v3, "/v2": self.v2})
        for door in (self.v3, self.v2):
            door.is_open.set()

    async def begin(self, query: str = "EIO=4&transport=polling", address: str = "127.0.0.1") -> tuple[str, Session]:
        """A session that polls."""
        scope = {"type": "http", "query_string": query.encode(), "headers": [], "client": (address, 1)}
        opening = await self.engine.begin(scope)
        assert opening[:1] == b"0"
        sid = next(reversed(self.engine.sessions))
        return sid, self.engine.sessions[sid]

    async def entered(self, *namespaces: str) -> tuple[str, Session]:
        """A session in these namespaces, that has heard so."""
        sid, session = await self.begin()
        for namespace in namespaces:
            await session.receive(f"0{namespace},{{}}")
        if namespaces:
            await self.engine.poll(sid)
        return sid, session

    async def heard(self, sid: str) -> list[str]:
        """What a poll brings."""
        return (await asyncio.wait_for(self.engine.poll(sid), ANSWER_SECONDS)).decode().split("\x1e")

    def look(self, seconds: float) -> None:
        """So much later, at the sessions."""
        self.time += seconds
        for session in list(self.engine.sessions.values()):
            session.look(self.time)


class Logged:
    """A log that keeps the events that it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def error(self, event: str, **_more: Any) -> None:
        self.events.append(event)

    exception = error
