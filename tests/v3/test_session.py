import json
from typing import Any

import pytest
from pydantic_core import to_json

from tests.v3.ports import NOW, World
from v3.messages import timestamp


def text(target: str = "group", msg_type: str = "msg", **fields: Any) -> str:
    return json.dumps({"msg_type": msg_type, "target": target, **fields})


@pytest.mark.parametrize("target", ["group", "broadcast"])
@pytest.mark.parametrize("msg_type", ["msg", "cmd", "presence"])
def test_a_message_is_stamped_and_said(target: str, msg_type: str) -> None:
    world = World()
    world.session().receive(text(target, msg_type, msg="hi", from_id="boss", group_id="other", sent_at=0))
    (said,) = world.said
    assert said.content == {"msg_type": msg_type, "target": target, "msg": "hi"}
    assert json.loads(said.line) == {
        "version": "3",
        "msg_type": msg_type,
        "target": target,
        "from_id": "bob",
        "group_id": "lobby",
        "msg": "hi",
        "sent_at": "2026-01-01T00:00:00.000000Z",
    }
    assert world.sent == []


def test_a_direct_message_goes_to_whoever_is_called_so() -> None:
    world = World(aliases={"v2-42": "Xk3dQ"})
    world.session().receive(text("direct", to_id="v2-42"))
    (said,) = world.said
    assert said.content["to_id"] == "Xk3dQ"
    assert json.loads(said.line)["to_id"] == "Xk3dQ"


def test_a_recipient_that_is_no_name_is_refused() -> None:
    world = World(aliases={"42": None})
    world.session().receive(text("direct", to_id="42", cmd="X"))
    assert world.said == []
    assert world.error()["code"] == "invalid_message"
    assert [detail["field"] for detail in world.error()["detail"]] == ["to_id"]
    assert world.error()["refused"] == {"msg_type": "msg", "target": "direct", "to_id": "42", "cmd": "X"}


def test_an_echo_comes_back_and_is_not_said() -> None:
    world = World()
    world.session().receive(text("echo", msg="ping", payload={"n": 1}))
    (message,) = world.heard()
    assert (message.target, message.msg, message.payload) == ("echo", "ping", {"n": 1})
    assert (message.from_id, message.group_id) == ("bob", "lobby")
    assert world.said == []


@pytest.mark.parametrize(
    ("target", "fields"), [("echo", {}), ("group", {}), ("broadcast", {}), ("direct", {"to_id": "ann"})]
)
def test_a_heartbeat_refreshes_presence_and_then_comes_back(target: str, fields: dict[str, str]) -> None:
    world = World()
    world.session("none").receive(text(target, "heartbeat", **fields))
    assert world.calls == ["refresh", "send"]
    assert world.heard()[0].msg_type == "heartbeat"
    assert world.heard()[0].target == target
    assert world.said == []


def test_a_heartbeat_that_asks_comes_back_with_the_answer_and_all_else_as_it_was() -> None:
    world = World()
    world.told["limits"] = lambda guest, asked: {"of": guest.client_id} if asked is True else None
    world.session().receive(text("echo", "heartbeat", payload={"limits": True, "ask": "7"}))
    world.session().receive(text("echo", "heartbeat", payload={"limits": "mine"}))
    world.session().receive(text("echo", "heartbeat"))
    world.session().receive(text("echo", payload={"limits": True}))
    assert [message.payload for message in world.heard()] == [
        {"limits": {"of": "bob"}, "ask": "7"},
        {"limits": "mine"},
        None,
        {"limits": True},
    ]


def test_presence_to_oneself_is_answered_with_the_members() -> None:
    world = World()
    members = [{"client_id": "bob", "protocol": "v3", "since": "2026-01-01T00:00:00.000000Z"}]
    world.session().receive(text("echo", "presence", payload={"mine": 1, "members": "none"}))
    assert world.sent == []
    world.answers[0](to_json(members))
    (message,) = world.heard()
    assert (message.msg_type, message.target) == ("presence", "echo")
    assert message.payload == {"mine": 1, "members": members}


def test_presence_without_a_payload_is_answered_too() -> None:
    world = World()
    world.session().receive(text("echo", "presence"))
    world.answers[0](b"[]")
    assert world.heard()[0].payload == {"members": []}


def test_presence_that_cannot_be_read_is_refused_as_bus_down() -> None:
    world = World()
    world.session().receive(text("echo", "presence"))
    world.answers[0](None)
    assert world.error()["code"] == "bus_down"
    assert world.error()["refused"] == {"msg_type": "presence", "target": "echo"}


@pytest.mark.parametrize("grant", ["tenant", "platform"])
def test_a_broadcast_needs_a_grant(grant: Any) -> None:
    """Bad inputs, V3 frames 12."""
    world = World()
    world.session("none").receive(text("broadcast", "cmd", cmd="MAINTENANCE"))
    assert world.error()["code"] == "not_allowed"
    assert world.error()["refused"] == {"msg_type": "cmd", "target": "broadcast", "cmd": "MAINTENANCE"}
    assert world.said == []
    world.session(grant).receive(text("broadcast"))
    assert len(world.said) == 1


@pytest.mark.parametrize("code", ["not_connected", "bus_down"])
def test_what_could_not_be_said_is_refused_later(code: str) -> None:
    world = World()
    world.session().receive(text("direct", to_id="nobody", msg="secret"))
    world.said[0].refused(code)
    assert world.error() == {
        "code": code,
        "retry": True,
        "detail": [],
        "refused": {"msg_type": "msg", "target": "direct", "to_id": "nobody"},
    }


def test_an_unreadable_message_is_refused_and_the_connection_stays_open() -> None:
    world = World()
    session = world.session()
    session.receive(text("all", cmd="X"))
    assert world.error()["code"] == "invalid_message"
    assert world.error()["detail"][0]["field"] == "target"
    assert world.error()["refused"] == {"msg_type": "msg", "target": "all", "cmd": "X"}
    session.receive(text())
    assert len(world.said) == 1
    assert world.closed == []


def test_what_exceeds_the_rate_is_refused_unread() -> None:
    world = World(pace="over")
    world.session().receive(text())
    assert world.error()["code"] == "rate_limited"
    assert world.said == []
    assert world.closed == []


def test_a_flood_is_refused_and_closed() -> None:
    world = World(pace="far_over")
    world.session().receive(text())
    assert world.error()["code"] == "rate_limited"
    assert world.closed == [(4429, "rate_limited")]


@pytest.mark.parametrize(
    ("code", "close"),
    [
        *(("token_expired", 4401), ("stage_legacy", 4404), ("message_too_big", 1009), ("binary_not_supported", 1003)),
        *(("slow_consumer", 4508), ("going_away", 1012)),
    ],
)
def test_a_refusal_with_a_close_code_closes(code: str, close: int) -> None:
    world = World()
    world.session().refuse(code, retry_after_ms=250)
    assert world.error()["code"] == code
    assert world.error()["retry_after_ms"] == 250
    assert world.closed == [(close, code)]


def test_what_one_connection_sends_is_stamped_strictly_later_each_time() -> None:
    world = World()
    session = world.session()
    for now in (NOW, NOW, NOW - 5_000_000, NOW + 999_999, NOW + 999_999, NOW + 3_000_000):
        world.now = now
        session.receive(text())
        session.receive(text("echo", "heartbeat"))
    stamps = [json.loads(said.line)["sent_at"] for said in world.said]
    stamps += [message.sent_at for message in world.heard()]
    assert len(set(stamps)) == 12
    for said, echoed in zip(world.said, world.heard(), strict=True):
        assert json.loads(said.line)["sent_at"] < echoed.sent_at
    ordered = [stamp for pair in zip(stamps[:6], stamps[6:], strict=True) for stamp in pair]
    assert ordered == sorted(ordered)
    assert ordered[0] == "2026-01-01T00:00:00.000000Z"
    assert ordered[-2] == "2026-01-01T00:00:03.000000Z"


def test_stamps_are_timestamps_from_the_first_second_on() -> None:
    world = World(now=0)
    world.session().receive(text("echo"))
    assert world.heard()[0].sent_at == timestamp(1)


def test_every_refusal_is_tallied_for_its_tenant() -> None:
    world = World()
    world.session("none").receive(text("broadcast"))
    world.session().receive("no json")
    assert world.tallied == [("acme", "not_allowed"), ("acme", "invalid_json")]


def test_a_receipt_hears_when_its_message_was_said() -> None:
    world, receipt = World(), Receipts()
    session = world.session()
    session.receive('{"msg_type":"msg","target":"group","msg":"hi"}', receipt)
    assert receipt.all == []
    world.said[0].heard()
    assert receipt.all == [("taken", json.loads(world.said[0].line)["sent_at"])]
    assert world.sent == []


def test_an_echo_comes_back_behind_what_became_of_all_that_was_said_before() -> None:
    world, receipt = World(), Receipts()
    session = world.session()
    for number in (1, 2):
        session.receive(text(payload={"n": number}), receipt)
    session.receive(text("echo", "cmd"), receipt)
    session.receive(text())
    first, second, _later = world.said
    second.refused("bus_down")
    assert world.sent == []
    first.heard()
    assert [told for told, _ in receipt.all] == ["refused", "taken", "taken"]
    assert [message.msg_type for message in world.heard()] == ["cmd"]


def test_an_echo_comes_back_also_behind_what_nobody_has_a_receipt_for() -> None:
    world = World()
    session = world.session()
    session.receive(text())
    session.receive(text("echo", "cmd"))
    assert world.sent == []
    world.said[0].heard()
    assert [message.msg_type for message in world.heard()] == ["cmd"]


@pytest.mark.parametrize("msg_type", ["heartbeat", "msg"])
def test_who_asks_for_its_cursor_with_a_heartbeat_gets_it(msg_type: str) -> None:
    world = World()
    world.session().receive(text("echo", msg_type, payload={"cursor": True, "limits": 1}))
    world.session().receive(text("echo", msg_type, payload={"cursor": "mine"}))
    cursor = "@cursor" if msg_type == "heartbeat" else True
    assert [heard.payload for heard in world.heard()] == [{"cursor": cursor, "limits": 1}, {"cursor": "mine"}]


def test_who_is_about_to_be_sent_away_gets_no_cursor() -> None:
    world = World(is_leaving=True)
    world.session().receive(text("echo", "heartbeat", payload={"cursor": True}))
    assert [heard.payload for heard in world.heard()] == [{"cursor": None}]


def test_a_receipt_is_told_of_a_refusal_instead_of_an_error() -> None:
    world, receipt = World(), Receipts()
    session = world.session()
    session.receive('{"msg_type":"msg","target":"direct"}', receipt)
    (told,) = receipt.all
    assert (told[0], told[1]["code"]) == ("refused", "invalid_message")
    assert world.sent == []


def test_a_receipt_hears_of_an_echo_at_once() -> None:
    world, receipt = World(), Receipts()
    session = world.session()
    session.receive('{"msg_type":"heartbeat","target":"echo"}', receipt)
    assert receipt.all == [("taken", json.loads(world.sent[0])["sent_at"])]


class Receipts:
    """A receipt that keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []

    def taken(self, sent_at: str) -> None:
        self.all.append(("taken", sent_at))

    def refused(self, payload: dict[str, Any]) -> None:
        self.all.append(("refused", payload))


def test_who_comes_and_goes_is_not_for_a_client_to_say() -> None:
    world = World()
    world.session().receive(text("group", "presence", cmd="LEAVE", payload={"client_id": "alice"}))
    assert world.said == []
    assert world.error()["code"] == "invalid_message"
    assert [problem["field"] for problem in world.error()["detail"]] == ["cmd"]
