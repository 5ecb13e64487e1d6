"""As much of the way in as a client needs that asks to join a namespace."""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.budget.accounts import Holder
from bridge.socketio.ports import JoinRequest
from bridge.socketio.session import NamespaceWire, Session

ARRIVAL = object()


def request_of(session: Session, namespace: str = "/v3") -> JoinRequest:
    return JoinRequest(session.headers, [("group_id", "g")], session.address, NamespaceWire(session, namespace))


class Connection:
    """A connection that notes whether it began."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_begun = False
        self.holder = Holder()

    def begin(self) -> None:
        self.has_begun = True

    def lost(self) -> None:
        self.over.set_result(None)


class Place:
    """As much of a gate, its reception and its connections as is needed; `held` is what was not given back."""

    def __init__(self) -> None:
        self.reception = self.connections = self
        self.serves_now, self.is_closing, self.is_full, self.is_silent = True, False, False, False
        self.answers = asyncio.Event()
        self.held: list[object] = []
        self.opened: list[Connection] = []
        self.asked: list[tuple[Any, ...]] = []

    def has_room_for(self, _arrival: object) -> bool:
        return not self.is_full

    async def arrive(self, *asked: Any) -> tuple[Any, object]:
        self.asked.append(asked[1:])
        return self.guest, ARRIVAL

    guest: Any = None

    async def subscribe(self, arrival: object) -> list[bytes]:
        if self.is_silent:
            raise TimeoutError
        self.held.append(arrival)
        await self.answers.wait()
        return [b"channel"]

    def give_back(self, arrival: object, channels: list[bytes]) -> None:
        assert channels == [b"channel"]
        self.held.remove(arrival)

    def connect(self, _arrival: object, _outbox: object, voice: object, *_: Any) -> Connection:
        self.voice = voice
        self.opened.append(Connection())
        return self.opened[-1]

    voice: object = None
