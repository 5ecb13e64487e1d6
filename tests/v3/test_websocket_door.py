"""The raw WebSocket door of V3, as an ASGI server calls it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocket

from tests.v3.ports import World
from v3.ports import Denied, Guest, Ports, Refused
from v3.refusals import REFUSALS
from v3.websocket_door import ids_in, websocket_door

BOB = "/v3/ws/group/lobby/client/bob"

ids = st.text(min_size=1, max_size=20)


class Gate:
    """Lets everyone in, or raises what it was given: when asked who it is, or when asked to serve."""

    def __init__(
        self, world: World, at_the_desk: Exception | None = None, at_the_door: Exception | None = None
    ) -> None:
        self.world = world
        self.raises = at_the_desk, at_the_door
        self.ids: list[tuple[str, str]] = []
        self.receivers: list[Any] = []

    async def admit(self, knock: WebSocket, group_id: str, client_id: str) -> Guest:
        self.ids.append((group_id, client_id))
        if self.raises[0] is not None:
            raise self.raises[0]
        return Guest("acme", group_id, client_id, "tenant")

    async def serve(self, knock: WebSocket, guest: Guest, session: Any) -> None:
        if self.raises[1] is not None:
            raise self.raises[1]
        self.receivers.append(session(self.world, self.world))


async def knock(gate: Gate, path: str, **scope: Any) -> list[dict[str, Any]]:
    """What the server is told to send in answer to a handshake; `path` is as it was sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {"path": unquote(path), "raw_path": path.encode(), "headers": [], "query_string": b"", **scope}
    extensions: dict[str, Any] = {"websocket.http.response": {}}
    world = gate.world
    door = websocket_door(gate, Ports(world, world, world, world, world))
    await door({"type": "websocket", "extensions": extensions, **asked}, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (BOB, ("lobby", "bob")),
        ("/v3/ws/group/group/client/client", ("group", "client")),
        ("/v3/ws/group/a%20b/client/%2F%3F%23", ("a b", "/?#")),
        ("/v3/ws/group/../client/%2e%2e", ("..", "..")),
        ("/v3/ws/group/%c3%a9/client/%ff", ("é", "\ufffd")),
        ("/v3/ws/group/%0a/client/%00", ("\n", "\x00")),
    ],
)
def test_a_path_names_group_and_client(path: str, expected: tuple[str, str]) -> None:
    assert ids_in(path) == expected


@pytest.mark.parametrize(
    "rest",
    [
        *("", "/", "/group/lobby", "/group/lobby/client", "/group/lobby/client/", "/group//client/bob", "/client/bob"),
        *("/group/lobby/client/bob/", "/group/lobby/client/bob/x", "/group/a/b/client/bob", "/group/a%2Fclient%2Fbob"),
        *("/client/bob/group/lobby", "/Group/lobby/client/bob", "/group/lobby/member/bob", "//group/lobby/client/bob"),
    ],
)
def test_another_path_is_none_of_v3s(rest: str) -> None:
    assert ids_in(f"/v3/ws{rest}") is None


@given(ids, ids)
def test_any_id_may_stand_in_a_path(group_id: str, client_id: str) -> None:
    path = f"/v3/ws/group/{quote(group_id, safe='')}/client/{quote(client_id, safe='')}"
    assert ids_in(path) == (group_id, client_id)


@pytest.mark.parametrize("rest", ["nowhere", "group/lobby/client/", "group/%0a/x"])
async def test_another_path_is_not_found_and_nobody_is_asked(rest: str) -> None:
    gate = Gate(World())
    start, _ = await knock(gate, f"/v3/ws/{rest}")
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert gate.ids == []


async def test_ids_are_those_of_the_path_as_it_was_sent() -> None:
    gate = Gate(World())
    await knock(gate, "/v3/ws/group/a%2Fb/client/c%0Ad")
    assert gate.ids == [("a/b", "c\nd")]


async def test_of_a_server_that_keeps_no_raw_path_the_path_is_taken() -> None:
    gate = Gate(World())
    await knock(gate, BOB, raw_path=None)
    assert gate.ids == [("lobby", "bob")]


async def test_whoever_is_let_in_has_a_session_of_v3_and_the_gate_accepts_it() -> None:
    gate = Gate(World())
    assert await knock(gate, BOB) == []
    (receiver,) = gate.receivers
    assert receiver.guest == Guest("acme", "lobby", "bob", "tenant")
    receiver.receive('{"msg_type":"msg","target":"group","msg":"hi"}')
    assert gate.world.said[0].content["msg"] == "hi"


@pytest.mark.parametrize("where", ["at_the_desk", "at_the_door"])
@pytest.mark.parametrize("code", REFUSALS)
async def test_whoever_is_refused_is_accepted_told_why_and_closed(where: str, code: str) -> None:
    gate = Gate(World(), **{where: Refused(code, "lobby")})
    accept, text, close = await knock(gate, BOB)
    gate.world.send(text["text"].encode())
    assert accept["type"] == "websocket.accept"
    assert gate.world.error()["code"] == code
    assert (close["type"], close["code"], close["reason"]) == (
        "websocket.close",
        REFUSALS[code].close or 1008,
        code,
    )


async def test_a_refusal_of_whoever_names_no_group_names_none() -> None:
    _, text, _ = await knock(Gate(World(), Refused("invalid_id")), "/v3/ws/group/42/client/bob")
    assert json.loads(text["text"])["group_id"] == ""


@pytest.mark.parametrize("where", ["at_the_desk", "at_the_door"])
async def test_whoever_has_had_an_answer_gets_no_other(where: str) -> None:
    assert await knock(Gate(World(), **{where: Denied()}), BOB) == []
