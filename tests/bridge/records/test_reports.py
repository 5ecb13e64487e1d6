"""Reports about one tenant, from what a real Redis holds: census, ledger and history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.records.report_turns import MOST_AT_ONCE
from bridge.records.retention import Table
from bridge.records.rows import Noted, ProprietaryKey, Sample, Visitor
from bridge.records.store import ROWS_PER_PAGE
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import DAY, TENANT, Desk, moment, noted, now, v2, v3

ACME = Tenant(TENANT)
MINUTE, HOUR = 60_000, 3_600_000


async def test_the_census_is_who_speaks_v2_the_newest_first(desk: Desk) -> None:
    first, last = now() - HOUR, now() - 60_000
    await desk.met(v2("42"), first, last - 5, 12, "kiosk/1")
    await desk.met(v2(None, "team", "phone/2"), first, last, 3)
    await desk.met(v3("ann"), first, last)
    assert await desk.reports.census(ACME) == {
        "tenant": TENANT,
        "days": 35,
        "total": 2,
        "forgotten": 0,
        "clients": [
            {
                "client_id": None,
                "group_id": "team",
                "protocol": "v2",
                "language": "v2",
                "first_seen": moment(first),
                "last_seen": moment(last),
                "messages": 3,
                "user_agent": "phone/2",
                "bucket": 99.99,
            },
            {
                "client_id": "42",
                "group_id": "lobby",
                "protocol": "v2",
                "language": "v2",
                "first_seen": moment(first),
                "last_seen": moment(last - 5),
                "messages": 12,
                "user_agent": "kiosk/1",
                "bucket": 88.52,
            },
        ],
    }


@pytest.mark.parametrize(
    ("protocol", "clients"),
    [
        (None, ["42", "io"]),
        ("v2", ["42"]),
        ("v3", ["ann"]),
        ("socketio", ["io", "new io"]),
        ("all", ["42", "ann", "io", "new io"]),
    ],
)
async def test_a_census_can_be_of_one_protocol_or_of_all(desk: Desk, protocol: str | None, clients: list[str]) -> None:
    for visitor in (
        v2("42"),
        v3("ann"),
        Visitor("v2", "socketio", "io", "g"),
        Visitor("v3", "socketio", "new io", "g"),
    ):
        await desk.met(visitor, now(), now())
    census = await desk.reports.census(ACME, protocol)
    assert sorted(client["client_id"] for client in census["clients"]) == clients
    assert census["total"] == len(clients)


async def test_more_clients_than_are_asked_for_are_counted(desk: Desk) -> None:
    for number in range(5):
        await desk.met(v2(f"k{number}"), now(), now() + number)
    census = await desk.reports.census(ACME, most=2)
    assert ([client["client_id"] for client in census["clients"]], census["total"]) == (["k4", "k3"], 5)


async def test_a_v3_client_has_no_bucket(desk: Desk) -> None:
    await desk.met(v3("ann"), now(), now())
    assert (await desk.reports.census(ACME, "v3"))["clients"][0]["bucket"] is None


async def test_whoever_was_not_seen_for_the_days_of_the_census_is_not_in_it(desk: Desk) -> None:
    await desk.met(v2("old"), now() - 36 * DAY, now() - 36 * DAY)
    await desk.met(v2("new"), now() - 36 * DAY, now() - 34 * DAY)
    assert [client["client_id"] for client in (await desk.reports.census(ACME))["clients"]] == ["new"]


async def test_the_ledger_adds_up_all_days_and_names_keys_with_the_types_of_samples_newest_first(desk: Desk) -> None:
    today, yesterday = now(), now() - DAY
    await desk.converted("exact", 4, yesterday)
    await desk.converted("exact", 3, today)
    await desk.converted("stashed", 1, today)
    await desk.converted("suppressed", 2, today, "v3_to_v2")
    rows = [
        ("volume", "null", yesterday - DAY, 3),
        ("volume", "string", today, 1),
        ("volume", "integer", yesterday, 5),
        ("title", "string", today, 10),
    ]
    await desk.note(
        desk.tables.ledger, *(noted(ProprietaryKey(name, kind), at, times) for name, kind, at, times in rows)
    )
    ledger = await desk.reports.ledger(ACME)
    assert (ledger["tenant"], ledger["days"], ledger["forgotten"]) == (TENANT, 35, 0)
    assert ledger["outcomes"] == {
        "v2_to_v3": {"exact": 7, "stashed": 1, "suppressed": 0},
        "v3_to_v2": {"exact": 0, "stashed": 0, "suppressed": 2},
    }
    title, volume = ledger["keys"]
    assert (title["name"], title["seen"], title["type"], title["types"]) == ("title", 10, "string", ["string"])
    assert (volume["name"], volume["seen"], volume["type"]) == ("volume", 9, "string")
    assert volume["types"] == ["string", "integer", "null"]
    assert (volume["first_seen"], volume["last_seen"]) == (moment(yesterday - DAY), moment(today))


async def sampled(desk: Desk, table: Table, *samples: tuple[str, Any, str, int]) -> None:
    await desk.note(table, *(noted(Sample(at, what, protocol), now(), times) for at, what, protocol, times in samples))


async def test_the_history_is_drawn_from_the_oldest_to_the_newest(desk: Desk) -> None:
    early, late = "2026-11-24T20:03:00Z", "2026-11-24T20:04:00Z"
    await sampled(
        desk,
        desk.tables.minutes,
        (late, "messages", "v2", 40),
        (early, "messages", "v3", 90),
        (early, "connections", "v2", 3),
        (early, "connections", "socketio", 1),
        (early, "nonsense", "v2", 9),
        (early, "messages", "smoke signals", 9),
    )
    await sampled(desk, desk.tables.hours, (early, "messages", "v2", 7))
    counted = Noted(Sample(early, "connections", "v2").key(), now() - 59 * MINUTE, now(), 150)
    await desk.note(desk.tables.hours, counted)
    assert await desk.reports.history(ACME) == {
        "tenant": TENANT,
        "minutes": [
            {
                "at": early,
                "connections": {"v2": 3, "v3": 0, "socketio": 1},
                "messages": {"v2": 0, "v3": 90, "socketio": 0},
            },
            {
                "at": late,
                "connections": {"v2": 0, "v3": 0, "socketio": 0},
                "messages": {"v2": 40, "v3": 0, "socketio": 0},
            },
        ],
        "hours": [
            {
                "at": early,
                "connections": {"v2": 2.5, "v3": 0, "socketio": 0},  # added up in each of sixty minutes
                "messages": {"v2": 7, "v3": 0, "socketio": 0},
            },
        ],
    }


async def test_an_hour_that_is_not_over_is_drawn_with_the_mean_of_its_minutes(desk: Desk) -> None:
    key = Sample("2026-11-24T20:00:00Z", "connections", "v3").key()
    for minute in range(3):
        at = now() - HOUR + minute * MINUTE
        await desk.note(desk.tables.hours, Noted(key, at, at, 4 + minute))
    (hour,) = (await desk.reports.history(ACME))["hours"]
    assert hour["connections"]["v3"] == 5


@pytest.mark.parametrize("row", ['["v2","v2",{},"lobby",""]', '["v2","v2",7,"lobby",""]', '["v3","v3",{},[],""]'])
async def test_a_row_of_the_right_length_with_the_wrong_types_is_no_row(desk: Desk, row: str) -> None:
    await desk.note(desk.tables.census, Noted(row, now(), now(), 1))
    assert (await desk.reports.census(Tenant(TENANT), "all"))["clients"] == []


async def test_of_more_clients_than_are_asked_for_no_line_is_made(desk: Desk) -> None:
    number, at = 2 * ROWS_PER_PAGE + 1, now()
    await desk.note(desk.tables.census, *(noted(v2(f"k{each}"), at - each) for each in range(number)))
    made: list[str | None] = []
    census = await desk.reports.census(ACME, most=3, line=lambda seen: made.append(seen.visitor.client_id))
    assert (census["total"], made) == (number, ["k0", "k1", "k2"])


async def test_no_more_than_two_reports_are_made_at_once_whoever_asks(desk: Desk) -> None:
    await desk.met(v2("42"), now(), now())
    made, most = [0], [0]

    def line(seen: Any) -> None:
        made[0] += 1
        most[0] = max(most[0], desk.reports.turns._made)

    await asyncio.gather(*(desk.reports.census(Tenant(TENANT), line=line) for _ in range(10)))
    assert (made, most) == ([10], [MOST_AT_ONCE])


async def test_a_sample_that_ended_before_it_began_is_drawn_all_the_same(desk: Desk) -> None:
    key, at = Sample("2026-11-24T20:00:00Z", "connections", "v3").key(), now()
    await sampled(desk, desk.tables.hours, ("2026-11-24T20:00:00Z", "connections", "v3", 1))
    await desk.redis.hset(desk.addresses.roll(TENANT, "hours"), key, f"{at} {at - MINUTE} 4 ")
    (hour,) = (await desk.reports.history(ACME))["hours"]
    assert hour["connections"]["v3"] == 4
