"""The moment in which a socket becomes a connection. Who may come in is in `tests/end_to_end/`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from bridge.broker.presence import Place
from bridge.budget.rate import Rate
from bridge.handshake.authentication import Identity
from bridge.handshake.connect import MOST_AT_ONCE, ClientInfo, Connector
from bridge.handshake.subscriptions import Subscriptions, Unavailable
from bridge.handshake.tokens import LEEWAY_SECONDS
from bridge.messaging.meter import Meter
from bridge.messaging.renderers import V3Renderer
from bridge.records.rows import Visitor
from bridge.runtime.app import Application
from bridge.sockets.outbox import Outbox
from bridge.sockets.ports import WHEN_GONE
from tests.bridge.broker.parts import ANSWER_SECONDS
from tests.bridge.handshake.conftest import process_of
from tests.bridge.handshake.servers import OtherServer, Server

GROUP, CLIENT = "team", "ann"
CHANNELS = [b"group", b"client"]


async def test_whoever_is_let_in_counts_as_listening_before_it_can_know(app: Application) -> None:
    """Or what is said to it at once would be missing from a dry run."""
    process = process_of(app)
    server, asked_at = Server(), time.time()
    begun: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    process.messaging.connections.begun.add(begun.set_result)
    async with asyncio.timeout(ANSWER_SECONDS):
        await server.ask(app)
        connection = await begun
        (await server.attached).lost()
    assert asked_at <= connection.info.hears_since <= server.accepted_at
    assert connection.is_over


class NeverAccepting(Server):
    """It never comes to the end of the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.is_accepting = asyncio.Event()

    async def send(self, event: Any) -> None:
        self.is_accepting.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("end", ["lost", "cancelled"])
async def test_what_a_connection_holds_is_given_back_when_it_is_over_however_it_ends(
    app: Application, end: str
) -> None:
    process = process_of(app)
    before, shares = set(process.messaging.inbound.hub.listeners), process.handshakes.tenant_limits.shares
    async with asyncio.timeout(ANSWER_SECONDS):
        if end == "cancelled":
            never = NeverAccepting()
            serving = asyncio.create_task(never.ask(app))
            await never.is_accepting.wait()
            assert shares.taken == 1
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        else:
            server = Server()
            await server.ask(app)  # which is over as soon as the connection is attached
            assert (len(process.messaging.connections), shares.taken) == (1, 1)
            (await server.attached).lost()
    await asyncio.sleep(0)
    assert (len(process.messaging.connections), shares.taken) == (0, 0)
    assert process.messaging.inbound.hub.listeners <= before
    await asyncio.wait_for(process.broker.presence.wait_until_empty(), ANSWER_SECONDS)


@pytest.mark.parametrize("path", ["/v3/ws/group/team/client/ann", "/ws/42"])
async def test_another_server_is_told_in_http_which_command_serves(app: Application, path: str) -> None:
    server = OtherServer()
    await asyncio.wait_for(server.ask(app, path), ANSWER_SECONDS)
    start, body = server.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 500)
    answer = json.loads(body["body"])
    assert answer["code"] == "unknown_server"
    assert "aether-bridge serve" in answer["msg"]
    assert process_of(app).handshakes.tenant_limits.shares.taken == 0


class Held:
    """Subscriptions of which one may be held."""

    def __init__(self) -> None:
        self.held: list[Place] = []

    async def take(self, _owner: object, place: Place, _language: str) -> list[bytes]:
        self.held.append(place)
        return CHANNELS

    def withdraw(self, place: Place, channels: list[bytes], then: Callable[[], None]) -> None:
        assert (place in self.held, channels) == (True, CHANNELS)
        then()

    def give_back(self, _owner: object, place: Place, channels: list[bytes]) -> None:
        assert channels is CHANNELS
        self.held.remove(place)


def connector(app: Application, held: Held) -> Connector:
    subscriptions, process = cast(Subscriptions, held), process_of(app)
    connections, addresses = process.messaging.connections, process.broker.addresses
    record, messages = process.handshakes.record, process.handshakes.tenant_limits.messages
    meter = partial(Meter, Rate(0, 1))
    return Connector(
        subscriptions,
        connections,
        addresses,
        app.budget,
        process.continuity,
        record,
        lambda one: meter(messages.of(one)),
    )


def client(expires_at: float | None = None, tenant: str = "default") -> ClientInfo:
    place = Place(tenant, GROUP, CLIENT, "v3")
    visitor = Visitor("v3", "v3", CLIENT, GROUP)
    return ClientInfo(Identity(tenant, expires_at=expires_at), "", place, (GROUP, CLIENT), visitor, "test")


def silent(_outbox: Outbox, _meter: Meter) -> Any:
    class Silent:
        def receive(self, text: str, receipt: Any = None) -> None: ...

        def refuse(self, code: str, **extra: Any) -> None: ...

    return Silent()


async def test_a_connection_that_never_begins_gives_back_once_it_is_lost(app: Application) -> None:
    held = Held()
    made = connector(app, held)
    connection = await made.connect(client(), Outbox(Server()), V3Renderer(), silent)
    assert len(held.held) == 1
    connection.lost()
    await asyncio.sleep(0)
    assert held.held == []


async def test_where_no_session_can_be_made_nothing_is_held(app: Application) -> None:
    def fail(_outbox: Outbox, _meter: Meter) -> Any:
        raise ZeroDivisionError

    held = Held()
    with pytest.raises(ZeroDivisionError):
        await connector(app, held).connect(client(), Outbox(Server()), V3Renderer(), fail)
    assert held.held == []


@pytest.mark.parametrize(("left", "more"), [(60, 0), (-5, LEEWAY_SECONDS)])
async def test_a_connection_ends_with_its_token_or_with_the_leeway_in_which_it_came(
    app: Application, left: float, more: float
) -> None:
    expires_at = time.time() + left
    made = connector(app, Held())
    connection = await made.connect(client(expires_at), Outbox(Server()), V3Renderer(), silent)
    assert connection.info.expires_at == expires_at + more
    connection.lost()


async def test_a_client_that_is_not_served_now_is_counted_by_its_tenant(app: Application) -> None:
    class Full(Held):
        async def take(self, _owner: object, _place: Place, _language: str) -> list[bytes]:
            raise Unavailable("overloaded", "Come back.")

    with pytest.raises(Unavailable):
        await connector(app, Full()).connect(client(), Outbox(Server()), V3Renderer(), silent)
    assert process_of(app).records.counts.refusals == {("default", "v3", "overloaded"): 1}


async def test_of_many_who_come_at_once_some_are_served_at_a_time_and_each_in_its_turn(app: Application) -> None:
    """Or each would take as long as all of them together, and give up; other tenants do not wait for them."""

    class Slow(Held):
        async def take(self, _owner: object, place: Place, _language: str) -> list[bytes]:
            self.held.append(place)
            await go_on.wait()
            return CHANNELS

        def give_back(self, _owner: object, place: Place, _channels: list[bytes]) -> None:
            self.held.remove(place)

    go_on, held = asyncio.Event(), Slow()
    made = connector(app, held)
    many = [client() for _ in range(MOST_AT_ONCE + 10)]
    coming = [
        asyncio.create_task(made.connect(one, Outbox(Server()), V3Renderer(), silent))
        for one in (*many, client(tenant="other"))
    ]
    await asyncio.sleep(0)
    assert held.held == [*(one.place for one in many[:MOST_AT_ONCE]), client(tenant="other").place]
    go_on.set()
    for connection in await asyncio.gather(*coming):
        connection.lost()
    await asyncio.sleep(0)
    assert held.held == []


async def test_who_is_gone_when_its_turn_has_come_costs_nothing(app: Application) -> None:
    """Or who gives up and comes again would wait behind itself."""
    held, outbox = Held(), Outbox(Server())
    outbox.end()
    with pytest.raises(Unavailable):
        await connector(app, held).connect(client(), outbox, V3Renderer(), silent)
    assert held.held == []


async def test_a_handshake_whose_client_is_gone_is_given_up(app: Application) -> None:
    server = Server()
    server.extensions[WHEN_GONE] = lambda gone: gone()
    await asyncio.wait_for(server.ask(app), ANSWER_SECONDS)
    assert not server.attached.done()
    assert process_of(app).records.counts.accepted == {}
