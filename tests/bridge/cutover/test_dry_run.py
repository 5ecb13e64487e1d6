"""A change tried on paper, from what a real Redis holds: all that an operator decides by, and nothing changes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from bridge.broker.presence import Place
from bridge.cutover.dry_run import SETTLE_SECONDS
from bridge.records.rows import Facts, Noted, RefusedName, Speech, Visitor
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk, moment, now, v2, v3
from tests.bridge.broker.people import running_process
from tests.stopwatch import Stopwatch

ACME = Tenant(TENANT)
BRIDGE, V3 = Standing("bridge", 0, "global"), Standing("v3", 0, "global")
HOUR = 3_600_000
SAID_BY_42 = Speech("v2", "42", "lobby", "msg", "group", None, "none")


FROM_BRIDGE_TO_V3: dict[str, Any] = {
    "tenant": TENANT,
    "version": 7,
    "from": {"stage": "bridge", "share": 0, "v2_routing": "global"},
    "to": {"stage": "v3", "share": 0, "v2_routing": "global"},
    "forward": True,
    "guards": [
        {"name": "quiet_days", "limit": 1, "value": None, "holds": True, "msg": "No V2 message is on record."},
    ],
    "quieter": [],
    "totals": {
        "refused": 1,
        "silenced": 1,
        "quieter": 0,
        "all": {
            "clients": 1,
            "new": 1,
            "listeners": 0,
            "pairs": 0,
            "by_user_agent": [{"user_agent": "kiosk/1", "clients": 1, "new": 1, "listeners": 0, "pairs": 0}],
            "by_group": [{"group_id": "lobby", "clients": 1, "new": 1, "listeners": 0, "pairs": 0}],
        },
        "none": {
            "clients": 1,
            "new": 1,
            "listeners": 1,
            "pairs": 1,
            "by_user_agent": [
                {"user_agent": "kiosk/1", "clients": 1, "new": 1, "listeners": 0, "pairs": 0},
                {"user_agent": "", "clients": 0, "new": 0, "listeners": 1, "pairs": 1},
            ],
            "by_group": [{"group_id": "lobby", "clients": 1, "new": 1, "listeners": 1, "pairs": 1}],
        },
    },
    "new": {"clients": 1, "pairs": 1},
    "on_v2": 1,
    "traffic": {"messages": 16, "affected": 12, "share": 0.75},
    "complete": True,
}
REFUSED_42: dict[str, Any] = {
    "client_id": "42",
    "group_id": "lobby",
    "protocol": "v2",
    "language": "v2",
    "messages": 12,
    "user_agent": "kiosk/1",
    "bucket": 88.52,
    "name": "v2-42",
    "code": "v2_retired",
    "successor": "/v3/ws/group/lobby/client/v2-42",
}
ANN_HEARS_42_NO_MORE: dict[str, Any] = {
    "speaker": {"client_id": "42", "protocol": "v2", "group_id": "lobby"},
    "listener": {"client_id": "ann", "protocol": "v3", "group_id": "lobby"},
    "messages": 12,
    "of": 12,
}


async def test_a_prediction_says_everything_that_an_operator_decides_by(desk: Desk, at_once: None) -> None:
    tenant = Tenant(TENANT, guard=GuardRules(quiet_days=1), version=7)
    first, last = now() - HOUR, now() - 1_000
    await desk.met(v2("42"), first, last, 12, "kiosk/1")
    await desk.met(v3("ann"), first, last)
    await desk.spoken(SAID_BY_42, first, last, 12)
    await desk.spoken(Speech("v3", "ann", "lobby", "msg", "direct", "nobody", "none"), first, last, 4)
    prediction = await desk.dry_run.predict(tenant, V3)
    on = {"channel": f"{desk.addresses.prefix}:{{acme:g:lobby}}"}
    assert prediction == FROM_BRIDGE_TO_V3 | {
        "refused": [REFUSED_42 | on | {"first_seen": moment(first), "last_seen": moment(last)}],
        "silenced": [ANN_HEARS_42_NO_MORE | on | {"said_to": "group lobby"}],
        "since": moment(first),
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
        prediction = await desk.dry_run.predict(ACME, V3)
    assert [pair["listener"]["client_id"] for pair in prediction["silenced"]] == ["ann"]


@pytest.mark.parametrize(
    ("before", "after", "is_forward"),
    [
        (BRIDGE, V3, True),
        (BRIDGE, Standing("drain", 1, "global"), True),
        (V3, BRIDGE, False),
        (BRIDGE, Standing("bridge", 0, "group"), True),
        (Standing("bridge", 0, "group"), BRIDGE, False),
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
    prediction = await desk.dry_run.predict(before.of_tenant(ACME), after)
    assert (prediction["forward"], prediction["from"], prediction["to"]) == (
        is_forward,
        before.as_json(),
        after.as_json(),
    )


async def test_a_prediction_changes_nothing(desk: Desk, at_once: None) -> None:
    await desk.met(v2("42"), now(), now())
    await desk.spoken(SAID_BY_42, now(), now())
    held = await everything(desk)
    await desk.dry_run.predict(ACME, V3)
    assert await everything(desk) == held


async def everything(desk: Desk) -> dict[Any, Any]:
    names = await desk.redis.keys(f"{desk.addresses.prefix}:*")
    return {name: await desk.redis.dump(name) for name in names}


@pytest.mark.parametrize("name", ["census", "speeches"])
async def test_a_prediction_is_not_whole_where_the_record_has_forgotten_some(
    desk: Desk, at_once: None, name: str
) -> None:
    await desk.note(
        replace(getattr(desk.tables, name), most_rows=1), Noted("a", now(), now(), 1), Noted("b", now(), now(), 1)
    )
    assert not (await desk.dry_run.predict(ACME, V3))["complete"]


async def test_a_prediction_waits_until_what_was_said_before_is_written(desk: Desk) -> None:
    stopwatch = Stopwatch()
    await desk.dry_run.predict(ACME, V3)
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
        prediction = await desk.dry_run.predict(Tenant(TENANT), V3)
    assert [pair["listener"]["client_id"] for pair in prediction["silenced"]] == ["anonymous-bob"]


async def test_a_listener_is_named_with_its_protocol(desk: Desk, at_once: None) -> None:
    await desk.met(v2("42"), now() - 9_000, now())
    await desk.met(Visitor("v3", "socketio", "ann", "lobby"), now() - 9_000, now())
    await desk.spoken(Speech("v2", "42", "lobby", "msg", "group", None, "none"), now() - 9_000, now())
    prediction: dict[str, Any] = await desk.dry_run.predict(Tenant(TENANT), V3)
    assert prediction["silenced"][0]["listener"]["protocol"] == "socketio"


async def test_a_row_of_half_a_character_is_no_row(desk: Desk, at_once: None) -> None:
    await desk.note(desk.tables.census, Noted('["v2","v2","\\ud800","lobby",""]', now(), now(), 1))
    assert (await desk.dry_run.predict(ACME, V3))["refused"] == []


async def test_who_has_arrived_is_not_refused_and_who_has_not_is_counted_but_is_not_new(
    desk: Desk, at_once: None
) -> None:
    for client_id in ("arrived", "lost", "there"):
        await desk.met(v2(client_id), now() - HOUR, now() - 60_000, 1, "kiosk/1")
    await desk.met(v3("arrived"), now() - 50_000, now() - 10_000)
    row = json.dumps(asdict(Facts("moved_to_v3", "kiosk/1", "", "lobby", "v2")))
    moved_at = now() - 55_000
    lost = Noted(RefusedName("v2", "lost").key(), moved_at, moved_at, 1, f"{moved_at} 1 1 {row}")
    await desk.note(desk.tables.refused, lost)
    prediction = await desk.dry_run.predict(ACME, V3)
    assert [client["client_id"] for client in prediction["refused"]] == ["there"]
    totals = prediction["totals"]["none"]
    assert (totals["clients"], totals["new"], prediction["on_v2"]) == (2, 1, 1)
    assert prediction["new"] == {"clients": 1, "pairs": 0}
    back = (await desk.dry_run.predict(ACME, BRIDGE))["totals"]["none"]
    assert (back["clients"], back["new"]) == (0, 0)
