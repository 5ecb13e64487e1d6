from collections.abc import Callable
from typing import Any, Self

import pytest

from legacy_v2.ports import Guest, Ports, Refused
from legacy_v2.refusals import REFUSALS
from legacy_v2.session import Session
from legacy_v2.socketio_door import SocketIoDoor
from tests.legacy_v2.ports import NOW, World

SUCCESSOR = "/v3/ws/group/team/client/v2-42"


class Bus:
    """A bus whose answers the test gives."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Callable[[str], None], Callable[[], None] | None]] = []

    def say_frame(
        self,
        guest: Guest,
        text: str,
        sent_at: int,
        refused: Callable[[str], None],
        heard: Callable[[], None] | None = None,
    ) -> None:
        self.said.append((text, refused, heard))


class Gate:
    """Lets everyone in, or refuses when asked who it is, or when asked to open."""

    def __init__(self, at_the_desk: Refused | None = None, at_the_door: Refused | None = None) -> None:
        self.world, self.bus = World(), Bus()
        self.refusals = at_the_desk, at_the_door
        self.ids: list[tuple[str | None, str | None]] = []
        self.sessions: list[Session] = []
        self.guest = Guest("", "", "", "", "", "none")
        self.door = SocketIoDoor[str](self, Ports(self.bus, self.world, self.world, self.world))

    async def admit(self, request: str, group_id: str | None, client_id: str | None) -> Self:
        self.ids.append((group_id, client_id))
        if self.refusals[0] is not None:
            raise self.refusals[0]
        group, client = group_id or "lobby", client_id or "made"
        self.guest = Guest("acme", group, client, "lobby", "v2-42", "tenant", protocol="socketio")
        return self

    async def open(self, session: Any) -> None:
        if self.refusals[1] is not None:
            raise self.refusals[1]
        self.sessions.append(session(self.world, self.world))


async def test_whoever_is_let_in_has_a_session_of_v2() -> None:
    gate = Gate()
    assert await gate.door.enter("knock", {"group_id": "a b", "client_id": "42"}) is None
    (session,) = gate.sessions
    assert (session.guest.group_id, session.guest.client_id, session.guest.protocol) == ("a b", "42", "socketio")
    session.receive("anything")
    assert gate.bus.said[0][0] == "anything"


@pytest.mark.parametrize("given", [{}, {"group_id": "", "client_id": ""}])
async def test_ids_that_are_not_given_are_left_to_the_gate(given: dict[str, str]) -> None:
    gate = Gate()
    await gate.door.enter("knock", given)
    assert gate.ids == [(None, None)]


@pytest.mark.parametrize("code", ["invalid_id", "unauthenticated", "forbidden"])
async def test_a_refusal_is_its_sentence_its_code_and_the_frame_of_a_refused_handshake(code: str) -> None:
    said = {"error": code, "msg": REFUSALS[code].sentence}
    refused = await Gate(at_the_desk=Refused(code)).door.enter("knock", {})
    assert refused == (REFUSALS[code].sentence, {"code": code, "bridge": said})


async def test_so_is_one_at_the_door() -> None:
    refused = await Gate(at_the_door=Refused("bus_down")).door.enter("knock", {})
    assert refused is not None
    assert refused[1]["code"] == "bus_down"


async def test_why_one_cannot_be_served_and_when_to_come_back_is_said_where_it_is_known() -> None:
    told = {"msg": "Your tenant is full.", "retry_after_ms": 2_000}
    refused = await Gate(at_the_door=Refused("overloaded", told)).door.enter("knock", {})
    said = {"code": "overloaded", "bridge": {"error": "overloaded", **told}}
    assert refused == ("Your tenant is full.", said)


@pytest.mark.parametrize("code", ["v2_retired", "moved_to_v3"])
async def test_who_is_sent_to_v3_is_told_where(code: str) -> None:
    refused = await Gate(at_the_desk=Refused(code, {"successor": SUCCESSOR, "since": "@g.1"})).door.enter("knock", {})
    assert refused is not None
    said = {"error": code, "msg": REFUSALS[code].sentence, "notice": code, "successor": SUCCESSOR, "since": "@g.1"}
    assert refused[1] == {"code": code, "bridge": said}


async def answered(gate: Gate, text: str) -> list[Any]:
    answers: list[Any] = []
    await gate.door.enter("knock", {})
    gate.sessions[-1].receive(text, gate.door.receipt(answers.append))
    return answers


async def test_a_frame_is_acknowledged_once_it_was_said() -> None:
    gate = Gate()
    answers = await answered(gate, "hi")
    assert answers == []
    heard = gate.bus.said[0][2]
    assert heard is not None
    gate.world.now = NOW + 5
    heard()
    assert answers == [{"ok": True, "sent_at": "2026-01-01T00:00:00.000000Z"}]


async def test_a_frame_that_was_not_said_is_answered_with_the_refusal_and_none_is_sent() -> None:
    gate = Gate()
    answers = await answered(gate, "hi")
    gate.bus.said[0][1]("bus_down")
    assert (answers[0]["bridge"]["error"], gate.world.sent) == ("bus_down", [])
    assert gate.world.tallied == [("acme", "bus_down")]


async def test_so_is_one_over_the_rate_and_a_flood_ends_the_connection() -> None:
    gate = Gate()
    gate.world.pace = "over"
    assert (await answered(gate, "hi"))[0]["bridge"]["error"] == "rate_limited"
    gate.world.pace = "far_over"
    assert (await answered(gate, "hi"))[0]["bridge"]["error"] == "rate_limited"
    assert gate.world.closed == [(4429, "rate_limited")]
