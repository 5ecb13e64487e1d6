"""The raw WebSocket door of V3: which paths are its own, and how a refusal is said. All else is in `end_to_end/`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocket

from tests.v3.ports import NOW, World
from v3.messages import timestamp
from v3.ports import Guest, Ports, Rate, Receiver, Refused, Socket
from v3.session import Session
from v3.websocket_door import ids_in, websocket_door

ids = st.text(min_size=1, max_size=20)


@given(ids, ids)
def test_any_id_may_stand_in_a_path(group_id: str, client_id: str) -> None:
    path = f"/v3/ws/group/{quote(group_id, safe='')}/client/{quote(client_id, safe='')}"
    assert ids_in(path) == (group_id, client_id)


@pytest.mark.parametrize(
    "path",
    [
        *("/v3/ws", "/v3/ws/", "/v3/ws/group/g", "/v3/ws/group/g/client", "/v3/ws/group/g/client/", "/v3/ws/42"),
        *("/v3/ws/group//client/c", "/v3/ws/group/g/client/c/", "/v3/ws/group/g/client/c/d", "/v3/ws/client/c"),
        *("/V3/ws/group/g/client/c", "//v3/ws/group/g/client/c", "/v3/ws/group%2Fg/client/c", "/ws/group/g/client/c"),
    ],
)
def test_another_path_is_none_of_v3s(path: str) -> None:
    assert ids_in(path) is None


class Handshake:
    """Lets one client in, or refuses it; and notes whose session was made."""

    def __init__(self, world: World, code: str | None = None) -> None:
        self.world = world
        self.code = code
        self.served: list[Receiver] = []
        self.guest = Guest("acme", "lobby", "bob", "none")

    async def admit(self, request: WebSocket, group_id: str, client_id: str) -> Handshake:
        if self.code is not None:
            raise Refused(self.code, group_id)
        assert (group_id, client_id) == ("lobby", "bob")
        await request.accept()
        return self

    async def serve(self, session: Callable[[Socket, Rate], Receiver]) -> None:
        self.served.append(session(self.world, self.world))


async def asked(handshake: Handshake) -> list[dict[str, Any]]:
    """What the door answers to this handshake, as ASGI has it."""
    world, sent = handshake.world, list[dict[str, Any]]()
    path = "/v3/ws/group/lobby/client/bob"
    door = websocket_door(handshake, Ports(world, world, world, world, world, world))

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "ws"}
    await door({**scope, "headers": [], "subprotocols": []}, receive, send)
    return sent


async def test_an_admitted_client_is_served_with_a_session_of_its_own() -> None:
    handshake = Handshake(World())
    await asked(handshake)
    (session,) = handshake.served
    assert isinstance(session, Session)
    assert session.guest is handshake.guest


async def test_a_refused_client_is_told_why_before_the_close() -> None:
    accept, said, close = await asked(Handshake(World(), "unauthenticated"))
    assert accept["type"] == "websocket.accept"
    error = json.loads(said["text"])
    assert (error["payload"]["code"], error["group_id"], error["sent_at"]) == (
        "unauthenticated",
        "lobby",
        timestamp(NOW),
    )
    assert (close["type"], close["code"], close["reason"]) == ("websocket.close", 4401, "unauthenticated")
