from typing import Any

import pytest

from tests.legacy_v2.ports import NOW, World


@pytest.mark.parametrize("text", ["hello", "", "{", '{"msg":"hi"}', "[1]", '{"from_id":"boss"}', "\ufeff\x00", "é🜁"])
def test_every_text_is_said_as_it_is(text: str) -> None:
    world = World()
    world.session().receive(text)
    assert [(said.text, said.sent_at) for said in world.said] == [(text, NOW)]
    assert world.sent == []


def test_whatever_a_client_says_is_a_sign_of_life() -> None:
    world = World()
    session = world.session()
    session.receive('{"type":"heartbeat"}')
    session.receive("hello")
    assert world.touched == 2


def test_what_one_connection_says_is_stamped_strictly_later_each_time() -> None:
    world = World()
    session = world.session()
    for now in (NOW, NOW, NOW - 9, NOW + 5):
        world.now = now
        session.receive("x")
    assert [said.sent_at for said in world.said] == [NOW, NOW + 1, NOW + 2, NOW + 5]


def test_what_exceeds_the_rate_is_refused() -> None:
    world = World(pace="over")
    world.session().receive("x")
    assert world.refusal()["error"] == "rate_limited"
    assert (world.said, world.closed, world.touched) == ([], [], 0)


def test_a_flood_is_refused_and_closed() -> None:
    world = World(pace="far_over")
    world.session().receive("x")
    assert world.refusal()["error"] == "rate_limited"
    assert world.closed == [(4429, "rate_limited")]


@pytest.mark.parametrize("code", ["bus_down", "not_connected"])
def test_what_could_not_be_said_is_answered_later_and_the_connection_stays(code: str) -> None:
    world = World()
    world.session().receive("x")
    world.said[0].refused(code)
    assert world.refusal()["error"] == code
    assert world.closed == []


@pytest.mark.parametrize(
    ("code", "close"),
    [
        *(("token_expired", 4401), ("message_too_big", 1009), ("binary_not_supported", 1003), ("slow_consumer", 4508)),
        *(("going_away", 1012), ("moved_to_v3", 4426), ("v2_retired", 4410)),
    ],
)
def test_a_refusal_with_a_close_code_closes(code: str, close: int) -> None:
    world = World()
    world.session().refuse(code, successor="/v3/ws/group/lobby/client/v2-42")
    assert world.refusal()["error"] == code
    assert world.refusal()["successor"] == "/v3/ws/group/lobby/client/v2-42"
    assert world.closed == [(close, code)]


def test_every_refusal_is_tallied_for_its_tenant() -> None:
    world = World(pace="over")
    world.session().receive("hi")
    assert world.tallied == [("acme", "rate_limited")]


class Receipts:
    """A receipt that keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def taken(self, sent_at: int) -> None:
        self.all.append(sent_at)

    def refused(self, frame: dict[str, Any]) -> None:
        self.all.append(frame)


def test_a_receipt_hears_when_its_frame_was_said() -> None:
    world, receipt = World(), Receipts()
    world.session().receive('{"msg":"hi"}', receipt)
    assert receipt.all == []
    heard = world.said[0].heard
    assert heard is not None
    heard()
    assert receipt.all == [world.said[0].sent_at]


@pytest.mark.parametrize("code", ["bus_down", "not_connected"])
def test_a_receipt_is_told_of_a_refusal_instead_of_the_socket(code: str) -> None:
    world, receipt = World(), Receipts()
    world.session().receive('{"msg":"hi"}', receipt)
    world.said[0].refused(code)
    assert [frame["bridge"]["error"] for frame in receipt.all] == [code]
    assert world.sent == []
    assert world.tallied == [("acme", code)]


def test_a_receipt_is_told_of_a_flood() -> None:
    world, receipt = World(pace="far_over"), Receipts()
    world.session().receive('{"msg":"hi"}', receipt)
    assert [frame["bridge"]["error"] for frame in receipt.all] == ["rate_limited"]
    assert world.closed == [(4429, "rate_limited")]
