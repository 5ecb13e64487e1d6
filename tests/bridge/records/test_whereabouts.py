"""Which list a client is in, by what is known of it: pure, from rows in any order."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.records.rows import Facts, Noted, RefusedName, Seen, Visitor
from bridge.records.whereabouts import LISTS, ListName, Refused, Whereabouts
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.admin.desk import v2, v3

ACME = Tenant("acme", names=Names({"7": "Xk3dQ"}))
Row = Seen | Noted


def on_v2(first: int, last: int, client_id: str | None = "42", group: str = "lobby", user_agent: str = "") -> Seen:
    return Seen(v2(client_id, group, user_agent), first, last, 1, user_agent)


def on_v3(first: int, last: int, name: str = "v2-42", protocol: str = "v3") -> Seen:
    return Seen(Visitor("v3", protocol, name, "lobby"), first, last, 0, "")


def refused(
    last: int,
    code: str = "moved_to_v3",
    *,
    moved: int = 0,
    knocks: int = 0,
    times: int = 1,
    at_door: bool = True,
    name: RefusedName | None = None,
) -> Noted:
    facts = json.dumps(asdict(Facts(code, "kiosk/1", "192.0.2.0/24", "lobby", "v2", at_door)))
    return Noted((name or RefusedName("v2", "42")).key(), 1, last, times, f"{moved} {knocks} 0 {facts}")


def told(*rows: Row, tenant: Tenant = ACME) -> Whereabouts:
    found = Whereabouts(tenant)
    for row in rows:
        if isinstance(row, Seen):
            found.see([row])
        else:
            found.refuse([row])
    return found


def lists_of(*rows: Row) -> dict[ListName, int]:
    return {name: number for name, number in told(*rows).counts.items() if number}


CLOSED = refused(20, moved=20, times=0, at_door=False)


@pytest.mark.parametrize(
    ("rows", "lists"),
    [
        ([on_v2(10, 20)], ["still"]),
        ([on_v2(10, 20), on_v3(15, 21)], ["arrived"]),
        ([on_v2(10, 30), on_v3(15, 30)], ["still"]),
        ([on_v2(10, 20), CLOSED], ["not_arrived"]),
        ([on_v2(10, 20), CLOSED, on_v3(21, 22)], ["arrived"]),
        ([on_v2(10, 20), CLOSED, on_v3(21, 22, "42")], ["not_arrived"]),
        ([on_v2(10, 20), refused(25, moved=20, knocks=3, times=3)], ["not_arrived", "turned_away"]),
        ([on_v2(10, 20), refused(25, moved=20, knocks=3), on_v3(26, 30)], ["arrived"]),
        ([on_v2(10, 20), refused(35, moved=20, knocks=3), on_v3(26, 30)], ["arrived", "turned_away"]),
        ([on_v2(10, 40), refused(25, moved=20, knocks=3)], ["still"]),
        ([on_v2(10, 40), on_v3(26, 30), refused(25, moved=20)], ["still"]),
        ([on_v2(10, 20), refused(25, "unauthenticated")], ["still", "turned_away"]),
        ([on_v2(10, 20), refused(20, "unauthenticated", times=0, at_door=False)], ["still", "turned_away"]),
        ([on_v2(10, 30), refused(25, "unauthenticated")], ["still"]),
        ([refused(25, "forbidden")], ["turned_away"]),
        ([refused(25, moved=25)], ["turned_away"]),
        ([refused(25, moved=25), on_v3(26, 30)], ["arrived"]),
        ([on_v3(26, 30)], []),
        ([on_v3(26, 30), refused(35, "unauthenticated", name=RefusedName("v3", "v2-42"))], ["turned_away"]),
    ],
)
def test_a_client_is_in_the_lists_that_its_last_signs_tell(rows: list[Row], lists: list[ListName]) -> None:
    for order in permutations(rows):
        assert list(lists_of(*order)) == lists


@pytest.mark.parametrize(
    ("old", "new", "lists"),
    [
        ("42", "v2-42", ["arrived"]),
        ("7", "Xk3dQ", ["arrived"]),
        ("7", "v2-7", ["arrived"]),
        ("ann", "ann", ["arrived"]),
        ("a b", "v2-a_20b", ["arrived"]),
        ("42", "v2-43", ["still"]),
        ("7", "7", ["still"]),
    ],
)
def test_who_arrives_is_known_by_its_one_name(old: str, new: str, lists: list[str]) -> None:
    for protocol in ("v3", "socketio"):
        assert list(lists_of(on_v2(10, 20, old), on_v3(21, 30, new, protocol))) == lists


def test_a_client_of_several_groups_is_one_client_as_it_was_last_seen() -> None:
    found = told(on_v2(10, 20, group="a"), on_v2(5, 30, group="b"), on_v2(8, 25, group="c"))
    (client,) = found.listed("still")
    assert (client.first, client.last, client.messages) == (5, 30, 3)
    assert client.visitor == v2("42", "b")


def test_clients_without_an_id_are_told_apart_by_what_they_run() -> None:
    phone = RefusedName("v2", None, "phone")
    gone = refused(20, moved=20, at_door=False, name=phone)
    rows = (on_v2(10, 20, None, user_agent="phone"), on_v2(10, 20, None, user_agent="panel"), gone)
    assert lists_of(*rows) == {"still": 1, "not_arrived": 1}


def test_who_is_gone_from_v2_is_asked_by_the_dry_run() -> None:
    found = told(on_v2(10, 20), CLOSED, on_v2(10, 20, "7"), on_v3(21, 30, "Xk3dQ"), on_v2(10, 20, "8"))
    gone = [found.is_gone(client_id, "") for client_id in ("42", "7", "8", "nobody")]
    assert gone == [True, True, False, False]


def test_of_those_who_were_moved_since_a_step_only_they_are_told() -> None:
    found = told(on_v2(10, 20), CLOSED, on_v2(10, 20, "8"))
    assert [len(found.moved_since(since)) for since in (0, 20, 21)] == [1, 1, 0]


def test_refusals_of_one_client_in_several_rows_are_added_up() -> None:
    later = refused(40, "forbidden", times=2, name=RefusedName("v3", "v2-42"))
    (client,) = told(on_v2(10, 20), refused(25, moved=20, knocks=3, times=3), later).listed("turned_away")
    assert client.refused is not None
    assert (client.refused.times, client.refused.facts.code, client.knocks, client.moved_at) == (5, "forbidden", 3, 20)


def test_the_latest_sign_of_life_comes_first() -> None:
    found = told(on_v2(1, 5, "a"), on_v2(1, 9, "b"), on_v2(1, 7, "c"))
    assert [client.visitor and client.visitor.client_id for client in found.listed("still")] == ["b", "c", "a"]


@pytest.mark.parametrize(
    "row",
    [
        Noted("garbage", 1, 2, 3, "0 0 0 {}"),
        Noted('["v2","42",""]', 1, 2, 3, "0 0"),
        Noted('["v2","42",""]', 1, 2, 3, "0 x 0 {}"),
        Noted('["v2","42",""]', 1, 2, 3, "0 0 0 {}"),
        Noted('["v2","42",""]', 1, 2, 3, "0 0 0 not json"),
    ],
)
def test_a_row_that_the_bridge_cannot_have_written_is_no_row(row: Noted) -> None:
    assert Refused.of(row) is None
    assert lists_of(row) == {}


signs = st.lists(
    st.one_of(
        st.builds(on_v2, st.integers(1, 50), st.integers(50, 99)),
        st.builds(on_v3, st.integers(1, 50), st.integers(50, 99)),
        st.builds(
            refused,
            st.integers(50, 99),
            st.sampled_from(["moved_to_v3", "v2_retired", "unauthenticated"]),
            moved=st.integers(0, 99),
            at_door=st.booleans(),
        ),
    ),
    max_size=6,
)


@given(signs)
def test_a_client_that_was_on_v2_is_in_exactly_one_of_three_lists(rows: list[Row]) -> None:
    counts = told(*rows).counts
    was_on_v2 = any(isinstance(row, Seen) and row.visitor.language == "v2" for row in rows)
    assert list(counts) == list(LISTS)
    assert counts["turned_away"] <= 1
    places = counts["still"] + counts["arrived"] + counts["not_arrived"]
    assert places == 1 if was_on_v2 else places <= 1


def test_a_v3_client_that_is_nobodys_v2_self_is_in_no_list() -> None:
    assert lists_of(Seen(v3("ann"), 1, 2, 0, "")) == {}
