"""Rows put together: who is here comes first, a mean is that of the minutes that were counted, and times are dates."""

from __future__ import annotations

import pytest

from bridge.records.report_rows import Newest, mean, moment, seen_until, visitors
from bridge.records.rows import Noted, Seen, Visitor
from bridge.tenants.tenant import Tenant
from compat.identity import Names

NOW = 1_790_000_000_000
MINUTE = 60_000


def seen(client_id: str, last: int, protocol: str = "v2") -> Seen:
    return Seen(Visitor("v2" if protocol == "v2" else "v3", protocol, client_id, "lobby"), NOW - MINUTE, last, 0, "")


def test_of_the_newest_those_who_are_here_come_first_and_beyond_the_bound_only_their_number_is_kept() -> None:
    newest = Newest(None, 2, NOW, lambda one: one.visitor.client_id)
    newest.add([seen("a", NOW - 1), seen("b", NOW - 2), seen("ann", NOW, "v3")])
    newest.add([seen("c", NOW - 3), seen("d", NOW)])
    assert (newest.lines(), newest.total) == (["d", "a"], 4)


def test_whoever_is_here_by_its_name_in_v3_was_seen_until_now() -> None:
    tenant = Tenant("acme", names=Names({"42": "Xk3"}))
    rows = [Noted(Visitor("v2", "v2", client_id, "lobby").key(), 1, 2, 7, "kiosk/1") for client_id in ("42", "7")]
    found = seen_until(visitors([*rows, Noted("garbage", 1, 2, 3)]), tenant, {("lobby", "Xk3", "v2"): 1}, NOW)
    assert [(one.visitor.client_id, one.last, one.messages, one.user_agent) for one in found] == [
        ("42", NOW, 7, "kiosk/1"),
        ("7", 2, 7, "kiosk/1"),
    ]


@pytest.mark.parametrize(("counted_minutes", "expected"), [(1, 60.0), (2, 30.0), (60, 1.0), (90, 1.0)])
def test_a_mean_is_that_of_the_minutes_that_were_counted(counted_minutes: int, expected: float) -> None:
    assert mean(Noted("", NOW, NOW + (counted_minutes - 1) * MINUTE, 60), 60) == expected


def test_a_time_is_a_date_in_utc_and_no_time_is_none() -> None:
    assert (moment(NOW), moment(None)) == ("2026-09-21T14:13:20.000000Z", None)
