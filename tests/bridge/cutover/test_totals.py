"""Totals count clients, each once: in all, by user agent and by group."""

from __future__ import annotations

from bridge.cutover.totals import Totals, Who

KIOSK, AGAIN = Who("42", "v2", "kiosk/1", "a"), Who("42", "v2", "kiosk/1", "b")
PHONE, OTHER_PHONE = Who(None, "v2", "phone", "a"), Who(None, "v2", "phone", "b")
EARLIER = Who("7", "v2", "kiosk/1", "a")
ANN = Who("ann", "v3", "browser", "a")


def test_a_client_counts_once_in_all_and_once_in_each_of_its_groups() -> None:
    totals = Totals([KIOSK, AGAIN, PHONE, OTHER_PHONE], [EARLIER], {ANN: 3, KIOSK: 1}).as_json()
    groups, agents = totals.pop("by_group"), totals.pop("by_user_agent")
    assert totals == {"clients": 3, "new": 2, "listeners": 2, "pairs": 4}
    assert groups == [
        {"group_id": "a", "clients": 3, "new": 2, "listeners": 2, "pairs": 4},
        {"group_id": "b", "clients": 2, "new": 2, "listeners": 0, "pairs": 0},
    ]
    assert agents == [
        {"user_agent": "kiosk/1", "clients": 2, "new": 1, "listeners": 1, "pairs": 1},
        {"user_agent": "phone", "clients": 1, "new": 1, "listeners": 0, "pairs": 0},
        {"user_agent": "browser", "clients": 0, "new": 0, "listeners": 1, "pairs": 3},
    ]


def test_where_nobody_is_concerned_there_are_no_rows() -> None:
    assert Totals([], [], {}).as_json() == {
        "clients": 0,
        "new": 0,
        "listeners": 0,
        "pairs": 0,
        "by_user_agent": [],
        "by_group": [],
    }
