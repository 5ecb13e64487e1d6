"""The ports of this room: what fits them, for mypy to say, and what a request to join holds."""

from __future__ import annotations

from typing import Any, cast

from bridge.socketio.namespace_wire import NamespaceWire as WireOfSession
from bridge.socketio.ports import Door, Home, NamespaceWire
from bridge.sockets.ports import Carried
from legacy_v2.socketio_door import SocketIoDoor as V2Door
from tests.bridge.socketio import parts
from tests.bridge.socketio.places import request_of
from v3.socketio_door import SocketIoDoor as V3Door


async def test_the_ports_are_fitted_by_what_serves() -> None:
    home = parts.Home()
    session = await home.begin()
    unused = cast(Any, None)
    server: Home = home.sessions
    doors: list[Door] = [V3Door(unused, unused), V2Door(unused, unused)]
    wire: NamespaceWire = WireOfSession(session, "/v3")
    websocket: Carried = session
    assert (server.broken, len(doors), wire.is_over, websocket is session) == (0, 2, False, True)


async def test_a_request_is_answered_on_its_wire() -> None:
    session = await parts.Home().begin()
    request = request_of(session)
    guest = parts.Carried(request)
    request.wire.join(guest)
    request.wire.write(parts.EVENT)
    assert [said[:5] for said in await parts.heard(session)] == ["40/v3", "42/v3"]
    request.wire.abort()
    assert (guest.losses, request.wire.is_over) == (1, True)
