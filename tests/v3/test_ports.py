"""What V3 names of the outside: every answer comes by a callback, and who somebody is never changes."""

import inspect
from dataclasses import FrozenInstanceError

import pytest

from v3.ports import (
    AdmittedClient,
    Bus,
    Clock,
    Guest,
    Handshake,
    Names,
    Presence,
    Rate,
    Receipt,
    Receiver,
    Refused,
    Socket,
    Tally,
)

GUEST = Guest("acme", "lobby", "ann", "none")


@pytest.mark.parametrize("port", [Bus, Clock, Names, Presence, Rate, Receipt, Receiver, Socket, Tally])
def test_nothing_that_a_session_calls_is_awaited(port: type) -> None:
    calls = [call for name, call in vars(port).items() if inspect.isfunction(call) and not name.startswith("_")]
    assert calls
    assert not any(map(inspect.iscoroutinefunction, calls))


def test_the_way_in_is_awaited() -> None:
    assert all(map(inspect.iscoroutinefunction, (Handshake.admit, AdmittedClient.serve)))


def test_who_came_by_no_other_door_came_by_v3() -> None:
    assert GUEST.protocol == "v3"


def test_who_a_connection_is_is_settled_for_good() -> None:
    with pytest.raises(FrozenInstanceError):
        GUEST.grant = "platform"  # type: ignore[misc]


def test_a_refusal_says_its_code_and_names_a_group_where_the_path_did() -> None:
    assert str(Refused("forbidden")) == "forbidden"
    assert [(refused.code, refused.group_id) for refused in (Refused("bus_down"), Refused("bus_down", "lobby"))] == [
        ("bus_down", ""),
        ("bus_down", "lobby"),
    ]
