"""What V2 names of the outside: every answer comes by a callback, and who somebody is never changes."""

import inspect
from dataclasses import FrozenInstanceError

import pytest

from legacy_v2.ports import (
    AdmittedClient,
    Bus,
    Clock,
    Guest,
    Handshake,
    Presence,
    Rate,
    Receipt,
    Receiver,
    Refused,
    Socket,
    Tally,
)

GUEST = Guest("acme", "7", "42", "v2-7", "v2-42", "none")


@pytest.mark.parametrize("port", [Bus, Clock, Presence, Rate, Receipt, Receiver, Socket, Tally])
def test_nothing_that_a_session_calls_is_awaited(port: type) -> None:
    calls = [call for name, call in vars(port).items() if inspect.isfunction(call) and not name.startswith("_")]
    assert calls
    assert not any(map(inspect.iscoroutinefunction, calls))


def test_the_way_in_is_awaited() -> None:
    assert all(map(inspect.iscoroutinefunction, (Handshake.admit, AdmittedClient.serve)))


def test_who_named_itself_and_came_by_no_other_door_came_by_v2() -> None:
    assert (GUEST.protocol, GUEST.is_generated) == ("v2", False)


def test_who_a_connection_is_is_settled_for_good() -> None:
    with pytest.raises(FrozenInstanceError):
        GUEST.client_id = "43"  # type: ignore[misc]


def test_a_refusal_says_its_code_and_sends_nobody_anywhere_by_itself() -> None:
    refused = Refused("forbidden")
    assert (str(refused), refused.code, refused.told, refused.headers) == ("forbidden", "forbidden", {}, {})


def test_a_refusal_has_its_headers_to_itself() -> None:
    headers = {"Sunset": "Wed, 30 Jun 2027 00:00:00 GMT"}
    refused = Refused("v2_retired", {"successor": "/v3"}, headers)
    headers.clear()
    assert (refused.told, refused.headers["Sunset"][:3]) == ({"successor": "/v3"}, "Wed")
