"""Socket.IO of one session, as a state machine."""

from __future__ import annotations

from typing import cast

import pytest

from bridge.socketio.namespaces import MOST_CONNECTS, MOST_DEFERRED, Join, Leave, Namespaces, Refuse, Say
from bridge.socketio.packets import Broken
from bridge.sockets.ports import Carried

GUEST = cast(Carried, object())


def joined(*names: str) -> Namespaces:
    """A client in these namespaces."""
    namespaces = Namespaces()
    for name in names:
        namespaces.receive(f"0{name},{{}}")
        namespaces.joined[name] = GUEST
        assert namespaces.settle(name) == []
    return namespaces


def test_a_connect_asks_to_join_with_what_it_brings() -> None:
    namespaces = Namespaces()
    assert namespaces.is_empty
    assert namespaces.receive('0/v3,{"api_key":"k","client_id":7}') == Join("/v3", {"api_key": "k", "client_id": "7"})
    assert (namespaces.is_empty, namespaces.joined) == (False, {})


def test_an_event_is_said_in_its_namespace() -> None:
    namespaces = joined("/v3", "/v2")
    assert namespaces.receive('2/v3,["message",{"a": 1.0}]') == Say("/v3", GUEST, '{"a": 1.0}', None)
    assert namespaces.receive('2/v2,7["message","text"]') == Say("/v2", GUEST, "text", 7)


def test_a_client_leaves_one_namespace_and_stays_in_the_other() -> None:
    namespaces = joined("/v3", "/v2")
    assert namespaces.receive("1/v3,") == Leave(GUEST)
    assert (list(namespaces.joined), namespaces.is_empty) == (["/v2"], False)
    assert namespaces.receive("1/v2,") == Leave(GUEST)
    assert namespaces.is_empty


@pytest.mark.parametrize("said", ["3/v3,1[]", "3/none,1[]", "3[]"])
def test_an_answer_that_nobody_asked_for_is_passed_over(said: str) -> None:
    assert joined("/v3").receive(said) is None


@pytest.mark.parametrize(
    "said", ["", "[]", "4", '2["message",{}]', '2/v2,["message",{}]', "1/v2,", "2/v3,[]", "0/v3,{}"]
)
def test_what_is_no_packet_or_comes_out_of_turn_is_broken(said: str) -> None:
    with pytest.raises(Broken):
        joined("/v3").receive(said)


def test_a_second_connect_is_broken_also_while_the_first_is_looked_at() -> None:
    namespaces = Namespaces()
    namespaces.receive("0/v3,{}")
    with pytest.raises(Broken):
        namespaces.receive("0/v3,{}")


def test_what_comes_while_a_client_joins_waits_in_order_up_to_a_bound() -> None:
    namespaces = joined("/v2")
    namespaces.receive("0/v3,{}")
    events = [f'2/v3,["message",{number}]' for number in range(MOST_DEFERRED)]
    assert [namespaces.receive(event) for event in events] == [None] * MOST_DEFERRED
    assert isinstance(namespaces.receive('2/v2,["message",1]'), Say)
    with pytest.raises(Broken):
        namespaces.receive("1/v3,")
    assert namespaces.settle("/v3") == events


def test_nobody_asks_to_join_for_ever() -> None:
    namespaces = Namespaces()
    for _ in range(MOST_CONNECTS):
        namespaces.receive("0/v4,{}")
        namespaces.settle("/v4")
    with pytest.raises(Broken):
        namespaces.receive("0/v4,{}")


def test_at_the_end_everyone_has_left() -> None:
    namespaces = joined("/v3", "/v2")
    assert namespaces.leave_all() == [GUEST, GUEST]
    assert namespaces.leave_all() == []


def test_a_connect_with_no_object_names_nobody() -> None:
    assert Namespaces().receive('0/v3,"x"') == Join("/v3", None)


def test_a_binary_event_is_refused_and_its_attachments_are_taken_along() -> None:
    namespaces = joined("/v3", "/v2")
    assert namespaces.receive('52-/v3,["message",{}]') == Refuse(GUEST, "binary_not_supported")
    assert [namespaces.takes_attachment() for _ in range(3)] == [True, True, False]
    assert isinstance(namespaces.receive('2/v2,["message",1]'), Say)


def test_who_is_dismissed_politely_is_heard_out_and_nothing_else_of_it_counts() -> None:
    namespaces = joined("/v3", "/v2")
    assert namespaces.dismiss("/v2", is_heard_out=True) is GUEST
    assert namespaces.receive('2/v2,7["message","x"]') == Say("/v2", GUEST, "x", 7)
    assert (namespaces.receive("1/v2,"), namespaces.receive('51-/v2,["message",{}]')) == (None, None)
    assert namespaces.hears_out
    namespaces.hear_no_more("/v2", cast(Carried, object()))
    assert namespaces.hears_out
    namespaces.hear_no_more("/v2", GUEST)
    assert (namespaces.receive('2/v2,["message","x"]'), namespaces.hears_out) == (None, False)


def test_who_is_dismissed_otherwise_is_ignored_and_breaks_nothing() -> None:
    namespaces = joined("/v3", "/v2")
    namespaces.dismiss("/v2", is_heard_out=False)
    assert (namespaces.receive('2/v2,["message","x"]'), namespaces.hears_out) == (None, False)
    assert isinstance(namespaces.receive('2/v3,["message","x"]'), Say)


def test_at_the_end_nobody_is_heard() -> None:
    namespaces = joined("/v3", "/v2")
    namespaces.dismiss("/v2", is_heard_out=True)
    assert namespaces.heard == [GUEST, GUEST]
    namespaces.hear_nobody()
    assert (namespaces.receive('2/v2,["message","x"]'), namespaces.hears_out) == (None, False)
    assert namespaces.heard == [GUEST]


def test_who_comes_back_is_a_newcomer() -> None:
    namespaces = joined("/v2")
    namespaces.dismiss("/v2", is_heard_out=True)
    assert namespaces.receive("0/v2,{}") == Join("/v2", {})
    assert namespaces.receive('2/v2,["message","x"]') is None
    assert namespaces.settle("/v2") == ['2/v2,["message","x"]']
