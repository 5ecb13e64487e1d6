from typing import Any, Self

import pytest

from tests.v3.ports import NOW, World
from v3.messages import timestamp
from v3.ports import Guest, Ports, Refused
from v3.refusals import REFUSALS
from v3.session import Session
from v3.socketio_door import Acknowledgement, SocketIoDoor


class Gate:
    """Lets everyone in, or refuses when asked who it is, or when asked to open."""

    def __init__(self, world: World, at_the_desk: str | None = None, at_the_door: str | None = None) -> None:
        self.world = world
        self.codes = at_the_desk, at_the_door
        self.ids: list[tuple[str, str]] = []
        self.sentence, self.told = "", dict[str, object]()
        self.sessions: list[Session] = []
        self.guest = Guest("", "", "", "none")

    async def admit(self, request: str, group_id: str, client_id: str) -> Self:
        self.ids.append((group_id, client_id))
        if self.codes[0] is not None:
            raise Refused(self.codes[0], group_id)
        self.guest = Guest("acme", group_id, client_id, "tenant", "socketio")
        return self

    async def open(self, session: Any) -> None:
        if self.codes[1] is not None:
            raise Refused(self.codes[1], sentence=self.sentence, told=self.told)
        self.sessions.append(session(self.world, self.world))


def door(gate: Gate) -> SocketIoDoor[str]:
    world = gate.world
    return SocketIoDoor(gate, Ports(world, world, world, world, world, world))


async def test_whoever_is_let_in_has_a_session_of_v3() -> None:
    gate = Gate(World())
    given = {"group_id": "lobby", "client_id": "bob", "api_key": "k", "EIO": "4"}
    assert await door(gate).enter("knock", given) is None
    (session,) = gate.sessions
    assert session.guest == Guest("acme", "lobby", "bob", "tenant", "socketio")
    session.receive('{"msg_type":"msg","target":"group","msg":"hi"}')
    assert gate.world.said[0].content["msg"] == "hi"


async def test_ids_that_are_not_given_are_empty() -> None:
    gate = Gate(World(), "invalid_id")
    await door(gate).enter("knock", {})
    assert gate.ids == [("", "")]


@pytest.mark.parametrize("code", ["invalid_id", "unauthenticated", "forbidden", "stage_legacy"])
async def test_a_refusal_is_its_sentence_and_the_errors_payload(code: str) -> None:
    refused = await door(Gate(World(), at_the_desk=code)).enter("knock", {"group_id": "g", "client_id": "c"})
    assert refused == (REFUSALS[code].sentence, {"code": code, "retry": False, "detail": [], "refused": {}})


@pytest.mark.parametrize("code", ["bus_down", "going_away"])
async def test_so_is_one_at_the_door(code: str) -> None:
    refused = await door(Gate(World(), at_the_door=code)).enter("knock", {"group_id": "g", "client_id": "c"})
    assert refused == (REFUSALS[code].sentence, {"code": code, "retry": True, "detail": [], "refused": {}})


async def test_why_one_cannot_be_served_and_when_to_come_back_is_said_where_it_is_known() -> None:
    gate = Gate(World(), at_the_door="overloaded")
    gate.sentence, gate.told = "Your tenant is full.", {"retry_after_ms": 2_000}
    refused = await door(gate).enter("knock", {"group_id": "g", "client_id": "c"})
    payload = {"code": "overloaded", "retry": True, "detail": [], "refused": {}, "retry_after_ms": 2_000}
    assert refused == ("Your tenant is full.", payload)


def acknowledged(world: World, text: str) -> list[Any]:
    """What a client is answered that asked; the list grows as more is said."""
    answers: list[Any] = []
    gate = Gate(world)
    world.session().receive(text, door(gate).receipt(answers.append))
    return answers


def test_a_message_is_acknowledged_once_it_was_said() -> None:
    world = World()
    answers = acknowledged(world, '{"msg_type":"msg","target":"group"}')
    assert answers == []
    world.said[0].heard()
    assert answers == [{"ok": True, "sent_at": timestamp(NOW)}]


@pytest.mark.parametrize("target", ["echo", "group"])
def test_a_heartbeat_and_an_echo_are_acknowledged_at_once(target: str) -> None:
    world = World()
    answers = acknowledged(world, f'{{"msg_type":"heartbeat","target":"{target}"}}')
    assert answers == [{"ok": True, "sent_at": timestamp(NOW)}]
    assert len(world.sent) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "invalid_json"),
        ("[]", "invalid_message"),
        ('{"msg_type":"msg","target":"direct"}', "invalid_message"),
        ('{"msg_type":"msg","target":"broadcast"}', "not_allowed"),
    ],
)
def test_a_refused_message_is_answered_with_the_errors_payload_and_no_error_is_sent(text: str, code: str) -> None:
    world = World()
    answers: list[Any] = []
    world.session("none").receive(text, Acknowledgement(answers.append))
    (answer,) = answers
    assert (answer["code"], answer["msg"], world.sent) == (code, REFUSALS[code].sentence, [])
    assert {"code", "retry", "detail", "refused", "msg"} == set(answer)
    assert world.tallied == [("acme", code)]


def test_so_is_one_that_the_bus_did_not_take() -> None:
    world = World()
    answers = acknowledged(world, '{"msg_type":"msg","target":"direct","to_id":"ann"}')
    world.said[0].refused("not_connected")
    assert (answers[0]["code"], answers[0]["refused"]["to_id"]) == ("not_connected", "ann")


def test_so_is_one_over_the_rate_and_a_flood_ends_the_connection() -> None:
    world = World(pace="over")
    assert acknowledged(world, '{"msg_type":"msg","target":"group"}')[0]["code"] == "rate_limited"
    world.pace = "far_over"
    assert acknowledged(world, "{}")[0]["code"] == "rate_limited"
    assert world.closed == [(4429, "rate_limited")]


def test_a_presence_echo_is_acknowledged_with_its_answer() -> None:
    world = World()
    answers = acknowledged(world, '{"msg_type":"presence","target":"echo"}')
    assert answers == []
    world.answers[0](b'[{"client_id":"bob"}]')
    assert answers[0]["ok"]
    refused = acknowledged(world, '{"msg_type":"presence","target":"echo"}')
    world.answers[1](None)
    assert refused[0]["code"] == "bus_down"
