from __future__ import annotations

import random
from itertools import count

import pytest

from bridge.sockets.strangers import Strangers, network_of

VICTIM, ATTACKER = "192.0.2.1", "198.51.100.7"


class Socket:
    """A transport, as far as it is aborted."""

    def __init__(self) -> None:
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


def come(strangers: Strangers, address: str, number: int = 1) -> list[Socket]:
    sockets = [Socket() for _ in range(number)]
    for one in sockets:
        strangers.came(one, address)
    return sockets


def aborted(sockets: list[Socket]) -> list[int]:
    return [number for number, one in enumerate(sockets) if one.is_aborted]


def test_where_there_is_room_nobody_goes() -> None:
    strangers = Strangers(10, 10, 10)
    assert aborted(come(strangers, ATTACKER, 10)) == []
    assert (strangers.strangers, len(strangers)) == (10, 10)


def test_the_one_that_has_waited_longest_goes_of_the_address_that_holds_most() -> None:
    strangers = Strangers(10, 10, 10)
    victims, attackers = come(strangers, VICTIM, 3), come(strangers, ATTACKER, 7)
    more = come(strangers, "203.0.113.1", 2)
    assert (aborted(victims), aborted(attackers), aborted(more)) == ([], [0, 1], [])
    assert strangers.ended["all"] == 2


def test_a_newcomer_gets_in_though_strangers_of_its_own_address_hold_everything() -> None:
    strangers = Strangers(100, 100, 100)
    come(strangers, VICTIM, 1_000)
    (victim,) = come(strangers, VICTIM)
    come(strangers, VICTIM, 50)
    strangers.vouch(victim)
    come(strangers, VICTIM, 1_000)
    assert not victim.is_aborted
    assert (strangers.strangers, strangers.vouched_for) == (99, 1)


def test_an_address_has_its_own_bound() -> None:
    strangers = Strangers(10, 10, 3)
    assert aborted(come(strangers, ATTACKER, 5)) == [0, 1]
    assert strangers.ended["address"] == 2


def test_strangers_have_a_bound_beside_that_of_all() -> None:
    strangers = Strangers(10, 3, 10)
    known = come(strangers, VICTIM, 3)
    for one in known:
        strangers.vouch(one)
    assert aborted(come(strangers, ATTACKER, 5)) == [0, 1]
    assert aborted(known) == []


def test_nobody_that_is_vouched_for_goes_and_a_stranger_finds_no_room_then() -> None:
    strangers = Strangers(3, 3, 3)
    known = come(strangers, VICTIM, 3)
    for one in known:
        strangers.vouch(one)
    assert come(strangers, ATTACKER)[0].is_aborted
    assert aborted(known) == []


def test_whoever_had_an_answer_goes_before_those_who_had_none_the_longest_waiting_first() -> None:
    strangers = Strangers(4, 4, 4)
    first, second, third, fourth = come(strangers, ATTACKER, 4)
    for one in (third, first):
        strangers.vouch(one)
        strangers.served(one)
    strangers.asked(second)
    for order in ([2], [0, 2], [0, 2, 3], [0, 1, 2, 3]):
        come(strangers, ATTACKER)
        assert aborted([first, second, third, fourth]) == order


def test_what_is_gone_makes_room() -> None:
    strangers = Strangers(2, 2, 2)
    first, second = come(strangers, ATTACKER, 2)
    strangers.vouch(second)
    for one in (first, second, second):
        strangers.gone(one)
    strangers.vouch(first)
    strangers.served(second)
    assert aborted(come(strangers, ATTACKER, 2)) == []
    assert (strangers.strangers, strangers.vouched_for) == (2, 0)


@pytest.mark.parametrize(
    ("address", "holder"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_an_address_is_one_holder_and_so_is_a_network_of_ipv6(address: str, holder: str) -> None:
    assert network_of(address) == holder


def test_the_bounds_hold_whatever_comes_and_goes_in_whatever_order() -> None:
    chance, strangers, names = random.Random(7), Strangers(40, 30, 15), count()
    here: dict[Socket, str] = {}
    for _ in range(20_000):
        action = chance.choice(("come", "come", "come", "vouch", "asked", "served", "gone"))
        if action == "come" or not here:
            one = Socket()
            here[one] = f"10.0.0.{next(names) * chance.randrange(1, 9) % 7}"
            strangers.came(one, here[one])
        else:
            getattr(strangers, action)(chance.choice(list(here)))
        if action == "gone":
            here = {each: address for each, address in here.items() if each in strangers._holders}
        here = {each: address for each, address in here.items() if not each.is_aborted}
        assert set(here) == set(strangers._holders)
        assert len(here) <= 40
        assert strangers.strangers <= 30
        waiting = {holder: len(held) for holder, held in strangers._waiting.items()}
        assert max(waiting.values(), default=0) <= 15
        assert strangers._most_held == max(waiting.values(), default=0) or not waiting
        assert {holder: number for number, held in strangers._holding.items() for holder in held} == waiting


def test_other_bounds_end_one_socket_for_each_new_one() -> None:
    strangers = Strangers(10, 10, 10)
    before = come(strangers, ATTACKER, 10)
    strangers.bound(5, 5, 5)
    assert aborted(before) == []
    come(strangers, VICTIM, 2)
    assert len(aborted(before)) == 2
