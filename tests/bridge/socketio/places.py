"""As much of the way in as a client needs that asks to join a namespace."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bridge.budget.accounts import Holder
from bridge.config.settings import Settings
from bridge.handshake.connect import AdmittedClient, ClientInfo, Connector
from bridge.handshake.preflight import Preflight
from bridge.handshake.subscriptions import Unavailable
from bridge.socketio.namespace_wire import NamespaceWire
from bridge.socketio.ports import JoinRequest
from bridge.socketio.session import Session

CLIENT = object()


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
    """As much of a preflight, a handshake and a connector as is needed; `held` is what was not given back."""

    def __init__(self) -> None:
        self.serves_now, self.is_closing, self.is_full, self.is_silent = True, False, False, False
        self.answers = asyncio.Event()
        self.held: list[object] = []
        self.opened: list[Connection] = []
        self.asked: list[tuple[Any, ...]] = []
        self.guest: Any = None
        self.renderer: object = None
        nothing: Any = None
        self.preflight = Preflight(Settings(), nothing, nothing, nothing, nothing)
        vars(self.preflight).update(_bus=self, _subscriber=self, _connections=self)

    @property
    def is_up(self) -> bool:
        return self.serves_now

    @property
    def client(self) -> AdmittedClient[Any]:
        """Whoever was admitted."""
        return AdmittedClient(self.guest, cast(ClientInfo, CLIENT), cast(Connector, self))

    async def identify(self, *asked: Any) -> AdmittedClient[Any]:
        self.asked.append(asked[1:])
        return self.client

    async def connect(self, client: object, _outbox: object, renderer: object, _session: object) -> Connection:
        if self.is_full:
            raise Unavailable("overloaded", "Full.")
        if self.is_silent:
            raise Unavailable("bus_down", "No answer.")
        self.held.append(client)
        self.renderer = renderer
        await self.answers.wait()
        connection = Connection()
        connection.over.add_done_callback(lambda _: self.held.remove(client))
        self.opened.append(connection)
        return connection
