"""So many orders at once, and then so many a second: of each tenant, and of the platform for each tenant."""

from __future__ import annotations

import pytest

from bridge.admin.pace import ORDERS_AT_ONCE, ORDERS_PER_SECOND, Pace, Party, party_of
from bridge.api.errors import AdminRefusal
from bridge.handshake.authentication import Administrator

ACME, OTHER, PLATFORM = ("acme", False), ("other", False), ("acme", True)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def seconds(self) -> float:
        return self.now


def taken(pace: Pace, party: Party, most: int = 2 * ORDERS_AT_ONCE) -> int:
    """How many of so many orders are taken."""
    for number in range(most):
        try:
            pace.spend(party)
        except AdminRefusal:
            return number
    return most


def test_so_many_orders_are_taken_at_once_and_then_so_many_a_second() -> None:
    clock = Clock()
    pace = Pace(clock.seconds)
    assert taken(pace, ACME) == ORDERS_AT_ONCE
    assert taken(pace, ACME) == 0
    clock.now += 2
    assert taken(pace, ACME) == 2 * ORDERS_PER_SECOND
    clock.now += 3_600
    assert taken(pace, ACME) == ORDERS_AT_ONCE


def test_whoever_orders_too_much_takes_nothing_from_others() -> None:
    pace = Pace(Clock().seconds)
    taken(pace, ACME)
    assert [taken(pace, party) for party in (OTHER, PLATFORM)] == [ORDERS_AT_ONCE] * 2


def test_the_administrators_of_a_tenant_are_one_party_and_those_of_the_platform_another() -> None:
    ann, ben, boss = (
        Administrator("ann", ("acme",)),
        Administrator("ben", ("acme", "other")),
        Administrator("c", ("*",)),
    )
    assert party_of(ann, "acme") == party_of(ben, "acme") == ACME
    assert party_of(ben, "other") == OTHER
    assert party_of(boss, "acme") == PLATFORM


def test_the_refusal_says_when_to_come_back() -> None:
    pace = Pace(Clock().seconds)
    taken(pace, ACME)
    with pytest.raises(AdminRefusal) as refused:
        pace.spend(ACME)
    response = refused.value.response()
    assert (response.status_code, refused.value.body["code"], response.headers["retry-after"]) == (
        429,
        "rate_limited",
        "1",
    )
