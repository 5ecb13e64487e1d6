"""Reports about one tenant, from what a real Redis holds: census, ledger, history, guards, and the prediction whole."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.records import reports
from bridge.records.report_turns import MOST_AT_ONCE
from bridge.records.reports import SETTLE_SECONDS
from bridge.records.rows import Noted, ProprietaryKey, Sample, Speech, Visitor
from bridge.records.store import ROWS_PER_PAGE, Roll
from bridge.tenants.change_log import Standing
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.tenant import Tenant
from compat.identity import Names
from tests.bridge.admin.desk import DAY, TENANT, Desk, noted, now, v2, v3
from tests.bridge.broker.people import running_process
from tests.stopwatch import Stopwatch

ACME = Tenant(TENANT)
BRIDGE, V3 = Standing("bridge", 0, "global"), Standing("v3", 0, "global")
MINUTE, HOUR = 60_000, 3_600_000
SAID_BY_42 = Speech("v2", "42", "lobby", "msg", "group", None, "none")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way to Redis, and so no prediction has to wait for it."""
    monkeypatch.setattr(reports, "SETTLE_SECONDS", 0)


def moment(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03}000Z"


def milliseconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1_000


# Census.


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
                "bucket": 99,
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
                "bucket": 88,
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


async def test_whoever_is_connected_is_there_until_now(desk: Desk, redis_url: str, prefix: str) -> None:
    tenant = Tenant(TENANT, names=Names({"42": "Xk3dQ"}))
    here = {v2("42", "a b"): ("v2-a_20b", "Xk3dQ"), v2("7"): ("lobby", "v2-7"), v3("ann"): ("lobby", "ann")}
    seen_at = now() - 50_000
    async with running_process(redis_url, prefix) as process:
        places = [Place(TENANT, *names, visitor.language) for visitor, names in here.items()]
        await process.enter(*places, Place(TENANT, "lobby", "anonymous-x", "v2"), Place("other", "lobby", "gone", "v3"))
        for visitor in (*here, v2(None, "lobby", "phone"), v2(None, "team", "phone"), v3("gone"), v3("ann", "team")):
            await desk.met(visitor, seen_at, seen_at)
        census = await desk.reports.census(tenant, "all")
    is_here = {
        (client["client_id"], client["group_id"]): milliseconds_of(client["last_seen"]) > seen_at + 40_000
        for client in census["clients"]
    }
    assert is_here == {
        ("42", "a b"): True,
        ("7", "lobby"): True,
        ("ann", "lobby"): True,
        (None, "lobby"): True,
        (None, "team"): False,
        ("gone", "lobby"): False,
        ("ann", "team"): False,
    }
    last_seen = [client["last_seen"] for client in census["clients"]]
    assert last_seen == sorted(last_seen, reverse=True)


# Ledger.


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
        desk.rolls.ledger, *(noted(ProprietaryKey(name, kind), at, times) for name, kind, at, times in rows)
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


async def test_a_tenant_of_which_nothing_is_known_has_an_empty_report_of_each_kind(desk: Desk, at_once: None) -> None:
    assert (await desk.reports.census(ACME))["clients"] == []
    ledger = await desk.reports.ledger(ACME)
    assert ledger["keys"] == []
    assert ledger["outcomes"]["v2_to_v3"] == {"exact": 0, "stashed": 0, "suppressed": 0}
    assert await desk.reports.history(ACME) == {"tenant": TENANT, "minutes": [], "hours": []}
    assert await desk.reports.verdicts(ACME) == []
    prediction = await desk.reports.predict(ACME, V3)
    assert (prediction["refused"], prediction["silenced"], prediction["quieter"]) == ([], [], [])
    assert (prediction["since"], prediction["complete"], prediction["traffic"]["share"]) == (None, True, 0.0)


# History.


async def sampled(desk: Desk, roll: Roll, *samples: tuple[str, Any, str, int]) -> None:
    await desk.note(roll, *(noted(Sample(at, what, protocol), now(), times) for at, what, protocol, times in samples))


async def test_the_history_is_drawn_from_the_oldest_to_the_newest(desk: Desk) -> None:
    early, late = "2026-11-24T20:03:00Z", "2026-11-24T20:04:00Z"
    await sampled(
        desk,
        desk.rolls.minutes,
        (late, "messages", "v2", 40),
        (early, "messages", "v3", 90),
        (early, "connections", "v2", 3),
        (early, "connections", "socketio", 1),
        (early, "nonsense", "v2", 9),
        (early, "messages", "smoke signals", 9),
    )
    await sampled(desk, desk.rolls.hours, (early, "messages", "v2", 7))
    counted = Noted(Sample(early, "connections", "v2").key(), now() - 59 * MINUTE, now(), 150)
    await desk.note(desk.rolls.hours, counted)
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
        await desk.note(desk.rolls.hours, Noted(key, at, at, 4 + minute))
    (hour,) = (await desk.reports.history(ACME))["hours"]
    assert hour["connections"]["v3"] == 5


# Guards.


async def test_the_guards_judge_two_days_of_what_v2_said(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(stashed_percent=5, quiet_days=1, refusals_per_minute=3))
    today = now()
    await desk.converted("stashed", 1_000, today - 2 * DAY)
    await desk.converted("stashed", 1, today - DAY)
    await desk.converted("exact", 18, today)
    await desk.converted("suppressed", 1, today)
    await desk.converted("stashed", 1_000, today, "v3_to_v2")
    stashed, quiet, refusals = await desk.reports.verdicts(tenant)
    assert (stashed.name, stashed.value, stashed.holds) == ("stashed_percent", 5.0, True)
    assert (quiet.name, quiet.value, quiet.holds) == ("quiet_days", 0.0, False)
    assert (refusals.name, refusals.value, refusals.holds) == ("refusals_per_minute", 0, True)


async def test_v2_is_quiet_since_its_last_message_and_v3_counts_for_nothing(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(quiet_days=3))
    await desk.converted("exact", 5, now() - 4 * DAY)
    await desk.converted("exact", 5, now(), "v3_to_v2")
    (quiet,) = await desk.reports.verdicts(tenant)
    assert (quiet.value, quiet.holds) == (4.0, True)


async def test_refusals_are_counted_for_a_minute(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(refusals_per_minute=3))
    await desk.turned_away(2)
    await desk.turned_away(1, seconds_ago=50)
    await desk.turned_away(100, seconds_ago=70)
    (refusals,) = await desk.reports.verdicts(tenant)
    assert (refusals.value, refusals.holds) == (3, True)
    await desk.turned_away(1, seconds_ago=30)
    (refusals,) = await desk.reports.verdicts(tenant)
    assert (refusals.value, refusals.holds) == (4, False)


# Prediction.


def lobby(desk: Desk) -> str:
    """The channel of the group, as a prediction names it."""
    return f"{desk.addresses.prefix}:{{acme:g:lobby}}"


def refused_42(desk: Desk, first: int, last: int) -> dict[str, Any]:
    """What a prediction says of client 42 where V2 is to be retired."""
    return {
        "client_id": "42",
        "group_id": "lobby",
        "protocol": "v2",
        "language": "v2",
        "first_seen": moment(first),
        "last_seen": moment(last),
        "messages": 12,
        "user_agent": "kiosk/1",
        "bucket": 88,
        "name": "v2-42",
        "code": "v2_retired",
        "successor": "/v3/ws/group/lobby/client/v2-42",
        "channel": lobby(desk),
    }


async def test_a_prediction_says_everything_that_an_operator_decides_by(desk: Desk, at_once: None) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(quiet_days=1), version=7)
    first, last = now() - HOUR, now() - 1_000
    await desk.met(v2("42"), first, last, 12, "kiosk/1")
    await desk.met(v3("ann"), first, last)
    await desk.spoken(SAID_BY_42, first, last, 12)
    await desk.spoken(Speech("v3", "ann", "lobby", "msg", "direct", "nobody", "none"), first, last, 4)
    quiet = {"name": "quiet_days", "limit": 1, "value": None, "holds": True, "msg": "No V2 message is on record."}
    assert await desk.reports.predict(tenant, V3) == {
        "tenant": TENANT,
        "version": 7,
        "from": {"stage": "bridge", "share": 0, "v2_routing": "global"},
        "to": {"stage": "v3", "share": 0, "v2_routing": "global"},
        "forward": True,
        "guards": [quiet],
        "refused": [refused_42(desk, first, last)],
        "silenced": [
            {
                "speaker": {"client_id": "42", "protocol": "v2", "group_id": "lobby"},
                "listener": {"client_id": "ann", "protocol": "v3", "group_id": "lobby"},
                "messages": 12,
                "of": 12,
                "channel": lobby(desk),
            }
        ],
        "quieter": [],
        "totals": {"refused": 1, "silenced": 1, "quieter": 0},
        "traffic": {"messages": 16, "affected": 12, "share": 0.75},
        "since": moment(first),
        "complete": True,
    }


async def test_what_was_said_while_a_client_is_connected_was_heard_by_it(
    desk: Desk, redis_url: str, prefix: str, at_once: None
) -> None:
    async with running_process(redis_url, prefix) as process:
        await process.enter(Place(TENANT, "lobby", "ann", "v3"))
        await desk.met(v2("42"), now() - 50_000, now() - 50_000)
        await desk.met(v3("ann"), now() - 50_000, now() - 50_000)
        await desk.met(v3("ben"), now() - 50_000, now() - 50_000)
        await desk.spoken(SAID_BY_42, now() - 10_000, now() - 5_000)
        prediction = await desk.reports.predict(ACME, V3)
    assert [pair["listener"]["client_id"] for pair in prediction["silenced"]] == ["ann"]


@pytest.mark.parametrize(
    ("before", "after", "is_forward"),
    [
        (BRIDGE, V3, True),
        (BRIDGE, Standing("drain", 1, "global"), True),
        (V3, BRIDGE, False),
        (BRIDGE, Standing("bridge", 0, "group"), False),
    ],
    ids=str,
)
async def test_a_prediction_says_whether_the_step_goes_forward(
    desk: Desk,
    at_once: None,
    before: Standing,
    after: Standing,
    is_forward: bool,  # noqa: FBT001 - a row of the table
) -> None:
    prediction = await desk.reports.predict(before.of_tenant(ACME), after)
    assert (prediction["forward"], prediction["from"], prediction["to"]) == (
        is_forward,
        before.as_json(),
        after.as_json(),
    )


async def test_a_prediction_changes_nothing(desk: Desk, at_once: None) -> None:
    await desk.met(v2("42"), now(), now())
    await desk.spoken(SAID_BY_42, now(), now())
    held = await everything(desk)
    await desk.reports.predict(ACME, V3)
    assert await everything(desk) == held


async def everything(desk: Desk) -> dict[Any, Any]:
    names = await desk.redis.keys(f"{desk.addresses.prefix}:*")
    return {name: await desk.redis.dump(name) for name in names}


@pytest.mark.parametrize("name", ["census", "speeches"])
async def test_a_prediction_is_not_whole_where_the_record_has_forgotten_some(
    desk: Desk, at_once: None, name: str
) -> None:
    await desk.note(
        replace(getattr(desk.rolls, name), most_rows=1), Noted("a", now(), now(), 1), Noted("b", now(), now(), 1)
    )
    assert not (await desk.reports.predict(ACME, V3))["complete"]


async def test_what_somebody_else_wrote_under_our_names_is_no_row_of_a_report(desk: Desk, at_once: None) -> None:
    for roll in (desk.rolls.census, desk.rolls.speeches, desk.rolls.ledger, desk.rolls.minutes, desk.rolls.hours):
        await desk.note(roll, *(Noted(key, now(), now(), 1) for key in ("garbage", "[]", "7", '["v2"]')))
    assert (await desk.reports.census(ACME, "all"))["clients"] == []
    assert (await desk.reports.ledger(ACME))["keys"] == []
    assert (await desk.reports.history(ACME))["minutes"] == []
    assert (await desk.reports.predict(ACME, V3))["traffic"]["messages"] == 0
    (quiet,) = await desk.reports.verdicts(Tenant(TENANT, guard=GuardRules(quiet_days=1)))
    assert quiet.holds


async def test_a_prediction_waits_until_what_was_said_before_is_written(desk: Desk) -> None:
    stopwatch = Stopwatch()
    await desk.reports.predict(ACME, V3)
    assert stopwatch.all_seconds >= SETTLE_SECONDS
    assert stopwatch.least_seconds < SETTLE_SECONDS + 1


async def test_a_v3_client_that_is_called_anonymous_is_there_too(
    desk: Desk, redis_url: str, prefix: str, at_once: None
) -> None:
    async with running_process(redis_url, prefix) as process:
        await process.enter(Place(TENANT, "lobby", "anonymous-bob", "v3"))
        await desk.met(v3("anonymous-bob"), now() - 50_000, now() - 50_000)
        await desk.met(v2("42"), now() - 50_000, now())
        await desk.spoken(Speech("v2", "42", "lobby", "msg", "group", None, "none"), now() - 10_000, now() - 5_000)
        prediction = await desk.reports.predict(Tenant(TENANT), V3)
    assert [pair["listener"]["client_id"] for pair in prediction["silenced"]] == ["anonymous-bob"]


@pytest.mark.parametrize("row", ['["v2","v2",{},"lobby",""]', '["v2","v2",7,"lobby",""]', '["v3","v3",{},[],""]'])
async def test_a_row_of_the_right_length_with_the_wrong_types_is_no_row(desk: Desk, row: str) -> None:
    await desk.note(desk.rolls.census, Noted(row, now(), now(), 1))
    assert (await desk.reports.census(Tenant(TENANT), "all"))["clients"] == []


async def test_a_listener_is_named_with_its_protocol(desk: Desk, at_once: None) -> None:
    await desk.met(v2("42"), now() - 9_000, now())
    await desk.met(Visitor("v3", "socketio", "ann", "lobby"), now() - 9_000, now())
    await desk.spoken(Speech("v2", "42", "lobby", "msg", "group", None, "none"), now() - 9_000, now())
    prediction: dict[str, Any] = await desk.reports.predict(Tenant(TENANT), V3)
    assert prediction["silenced"][0]["listener"]["protocol"] == "socketio"


async def test_of_more_clients_than_are_asked_for_no_line_is_made(desk: Desk) -> None:
    number, at = 2 * ROWS_PER_PAGE + 1, now()
    await desk.note(desk.rolls.census, *(noted(v2(f"k{each}"), at - each) for each in range(number)))
    made: list[str | None] = []
    census = await desk.reports.census(ACME, most=3, line=lambda seen: made.append(seen.visitor.client_id))
    assert (census["total"], made) == (number, ["k0", "k1", "k2"])


async def test_a_group_is_asked_for_once_and_page_by_page(
    desk: Desk, redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "HOLDERS_PER_GROUP", 2)
    people = [f"p{number}" for number in range(5)]
    await desk.note(desk.rolls.census, *(noted(v3(name), now() - 50_000) for name in people))
    async with running_process(redis_url, prefix) as process:
        await process.enter(*(Place(TENANT, "lobby", name, "v3") for name in people))
        census = await desk.reports.census(ACME, "all")
    assert all(milliseconds_of(one["last_seen"]) > now() - 40_000 for one in census["clients"])


async def test_no_more_than_two_reports_are_made_at_once_whoever_asks(desk: Desk, at_once: None) -> None:
    await desk.met(v2("42"), now(), now())
    made, most = [0], [0]

    def line(seen: Any) -> None:
        made[0] += 1
        most[0] = max(most[0], desk.reports.turns._made)

    await asyncio.gather(*(desk.reports.census(Tenant(TENANT), line=line) for _ in range(10)))
    assert (made, most) == ([10], [MOST_AT_ONCE])


async def test_however_many_ask_for_guards_at_once_they_are_looked_at_once_more(desk: Desk) -> None:
    tenant, looks = Tenant(TENANT, guard=GuardRules(quiet_days=1)), list[str]()
    find = desk.reports._facts._find

    async def counted(name: str) -> Any:
        looks.append(name)
        return await find(name)

    desk.reports._facts._find = counted
    await asyncio.gather(*(desk.reports.verdicts(tenant) for _ in range(20)))
    assert looks == [TENANT, TENANT]


@pytest.mark.parametrize("garbage", [("SET", "garbage"), ("RPUSH", "garbage")])
async def test_whatever_type_stands_under_a_tenants_names_its_reports_say_the_rest(
    desk: Desk, at_once: None, garbage: tuple[str, ...]
) -> None:
    names = [desk.addresses.roll(TENANT, name) for name in ("census", "speeches", "ledger", "minutes", "hours")]
    names += [f"{name}:order" for name in names] + [desk.addresses.holders(TENANT, "lobby")]
    names += [desk.addresses.refused(TENANT, now() // 5_000 - age) for age in range(3)]
    await desk.met(v2("42"), now(), now())
    for name in names:
        await desk.redis.delete(name)
        await desk.redis.execute_command(garbage[0], name, *garbage[1:])  # type: ignore[no-untyped-call]
    guarded = Tenant(TENANT, guard=GuardRules(stashed_percent=5, quiet_days=1, refusals_per_minute=0))
    assert (await desk.reports.census(guarded, "all"))["clients"] == []
    assert (await desk.reports.ledger(guarded))["keys"] == []
    assert (await desk.reports.history(guarded))["hours"] == []
    assert [verdict.holds for verdict in await desk.reports.verdicts(guarded)] == [True] * 3
    assert (await desk.reports.predict(guarded, V3))["refused"] == []


async def test_a_row_of_half_a_character_is_no_row(desk: Desk, at_once: None) -> None:
    await desk.note(desk.rolls.census, Noted('["v2","v2","\\ud800","lobby",""]', now(), now(), 1))
    assert (await desk.reports.predict(ACME, V3))["refused"] == []


async def test_a_sample_that_ended_before_it_began_is_drawn_all_the_same(desk: Desk) -> None:
    key, at = Sample("2026-11-24T20:00:00Z", "connections", "v3").key(), now()
    await sampled(desk, desk.rolls.hours, ("2026-11-24T20:00:00Z", "connections", "v3", 1))
    await desk.redis.hset(desk.addresses.roll(TENANT, "hours"), key, f"{at} {at - MINUTE} 4 ")
    (hour,) = (await desk.reports.history(ACME))["hours"]
    assert hour["connections"]["v3"] == 4
