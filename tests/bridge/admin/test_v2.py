"""How a tenant is changed over HTTP: at the version that its author named, else as soon as nobody else is at it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import pytest
import structlog
from starlette.responses import Response

from bridge.admin.order_bodies import described
from bridge.admin.pace import ORDERS_AT_ONCE
from bridge.admin.service import TenantService
from bridge.admin.sign_ins import SignIns
from bridge.admin.v2 import NewLimits, NewStage, StepBack, TenantChanges, said_as_refusals
from bridge.api.errors import AdminRefusal
from bridge.cutover.changes import (
    ATTEMPTS,
    GuardFailed,
    NothingToRollBack,
    ReasonMissing,
    ShareRefused,
    Unconfirmed,
    WantedChange,
)
from bridge.cutover.cutover import Cutover
from bridge.cutover.guards import Verdict
from bridge.handshake.authentication import Administrator, Authentication
from bridge.records.store_reader import StoreReader
from bridge.tenants.change_log import Stale
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk

BOSS, CHIEF = Administrator("boss", ("*",)), Administrator("chief", ("other",))


@pytest.fixture
def two(desk: Desk) -> list[TenantChanges]:
    """Of two processes, each with a table of its own."""
    tables = [TenantTable(desk.redis, desk.addresses, {TENANT: Tenant(TENANT)}) for _ in range(2)]
    nobody = cast(Authentication, None)
    services = [
        TenantService(nobody, table, desk.redis, desk.addresses, desk.reports, lambda: True, SignIns())
        for table in tables
    ]
    return [TenantChanges(service, desk.cutover) for service in services]


def wanting(at: TenantChanges, **wanted: Any) -> Callable[[Tenant], Awaitable[Any]]:
    return lambda tenant: at.cutover.changes.make(tenant, "boss", WantedChange(**wanted, confirm=TENANT))


async def test_an_order_is_obeyed_at_once_and_answered_with_the_new_state(two: list[TenantChanges]) -> None:
    state = await two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=7))
    assert (state["stage"], state["share"], state["version"]) == ("drain", 7, 1)
    assert two[0].service.tenant(BOSS, TENANT).stage == "drain"


async def test_an_order_without_a_version_is_for_the_tenant_as_another_process_left_it(
    two: list[TenantChanges],
) -> None:
    await two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=7))
    state = await two[1].carry_out(BOSS, TENANT, None, wanting(two[1], share=9))
    assert (state["stage"], state["share"], state["version"]) == ("drain", 9, 2)


async def test_what_is_to_be_predicted_is_predicted_of_the_tenant_as_another_process_left_it(
    two: list[TenantChanges],
) -> None:
    await two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=7))
    assert two[1].service.tenant(BOSS, TENANT).stage == "bridge"
    assert (await two[1].service.fresh(BOSS, TENANT)).stage == "drain"


class Overtaken:
    """An order that so often finds that somebody else was quicker."""

    def __init__(self, times: int) -> None:
        self.remaining = times
        self.calls = 0

    async def __call__(self, _tenant: Tenant) -> None:
        self.calls += 1
        if self.remaining:
            self.remaining -= 1
            raise Stale(7)


async def test_a_step_that_guards_hold_up_is_one_line_of_the_log(two: list[TenantChanges]) -> None:
    async def held(_tenant: Tenant) -> None:
        raise GuardFailed([VERDICT])

    with structlog.testing.capture_logs() as logged, pytest.raises(AdminRefusal):
        await two[0].carry_out(BOSS, TENANT, None, held)
    line = {"event": "guard_held", "log_level": "info", "tenant": TENANT, "who": "boss", "guards": [VERDICT.name]}
    assert [one for one in logged if one["event"] == "guard_held"] == [line]


async def test_where_nothing_is_recorded_no_limit_is_set(two: list[TenantChanges], desk: Desk) -> None:
    at = two[0]
    without = Cutover(StoreReader(desk.redis, desk.addresses, desk.tables), desk.reports.turns, has_records=False)
    limits = NewLimits(lost_percent=5)
    with pytest.raises(AdminRefusal) as refused:
        await at.carry_out(BOSS, TENANT, None, lambda known: limits.made(known, "boss", without.changes))
    assert (refused.value.status, refused.value.body["code"]) == (409, "no_records")
    assert "records = false" in refused.value.body["msg"]
    assert not at.service.tenant(BOSS, TENANT).guard.any


async def test_an_order_that_is_overtaken_is_given_again_but_not_for_ever(two: list[TenantChanges]) -> None:
    some, all_the_time = Overtaken(ATTEMPTS - 1), Overtaken(ATTEMPTS)
    await two[0].carry_out(BOSS, TENANT, None, some)
    assert some.calls == ATTEMPTS
    with pytest.raises(AdminRefusal) as refused:
        await two[0].carry_out(BOSS, TENANT, None, all_the_time)
    assert (refused.value.status, refused.value.body["version"], all_the_time.calls) == (409, 7, ATTEMPTS)


async def test_whoever_names_a_version_is_asked_again_when_it_is_overtaken(two: list[TenantChanges]) -> None:
    once = Overtaken(1)
    with pytest.raises(AdminRefusal) as refused:
        await two[0].carry_out(BOSS, TENANT, 0, once)
    assert (refused.value.body["code"], once.calls) == ("stale", 1)


async def test_orders_of_one_party_are_carried_out_one_after_the_other_and_none_is_overtaken(
    two: list[TenantChanges],
) -> None:
    given = [
        two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=share))
        for share in range(ATTEMPTS * 4)
    ]
    states = await asyncio.gather(*given)
    assert [(state["version"], state["share"]) for state in states] == [
        (share + 1, share) for share in range(len(states))
    ]


async def test_beyond_its_pace_nothing_more_is_ordered_of_a_tenant_but_by_the_platform(
    two: list[TenantChanges],
) -> None:
    owner, order = Administrator("ann", (TENANT,)), Overtaken(0)
    for _ in range(ORDERS_AT_ONCE - 1):
        two[0].service.ordered(owner, TENANT)
    await two[0].carry_out(owner, TENANT, None, order)
    for ordering in (partial(two[0].carry_out, owner, TENANT, None, order), partial(at_once, two[0], owner)):
        with pytest.raises(AdminRefusal) as refused:
            await ordering()
        assert (refused.value.status, refused.value.body["code"]) == (429, "rate_limited")
    assert order.calls == 1
    await two[0].carry_out(BOSS, TENANT, None, order)
    assert order.calls == 2


async def at_once(changes: TenantChanges, administrator: Administrator) -> None:
    changes.service.ordered(administrator, TENANT)


async def test_who_may_not_order_of_a_tenant_takes_nothing_of_its_pace(two: list[TenantChanges]) -> None:
    for _ in range(2 * ORDERS_AT_ONCE):
        with pytest.raises(AdminRefusal) as refused:
            await two[0].carry_out(CHIEF, TENANT, None, Overtaken(0))
        assert refused.value.status == 404
    await two[0].carry_out(Administrator("ann", (TENANT,)), TENANT, None, Overtaken(0))


async def test_nothing_is_ordered_of_a_tenant_that_the_key_is_not_for(two: list[TenantChanges]) -> None:
    order = Overtaken(0)
    for administrator, name in ((CHIEF, TENANT), (BOSS, "nobody")):
        with pytest.raises(AdminRefusal) as refused:
            await two[0].carry_out(administrator, name, None, order)
        assert (refused.value.status, refused.value.body["code"]) == (404, "unknown_tenant")
    assert order.calls == 0


# What is answered where a change is not made.

VERDICT = Verdict("quiet_days", 7, 2.0, holds=False, sentence="The last V2 message was 2 days ago.")


def body_of(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(response.body))
    return found


@pytest.mark.parametrize(
    ("error", "status", "code", "more"),
    [
        (Stale(7), 409, "stale", {"version": 7}),
        (GuardFailed([VERDICT]), 409, "guard_failed", {"guards": [VERDICT.as_json()]}),
        (ReasonMissing(), 400, "reason_missing", {}),
        (NothingToRollBack(Tenant(TENANT), None), 409, "nothing_to_roll_back", {}),
        (ShareRefused("drain needs a share"), 422, "invalid_order", {}),
        (Unconfirmed(TENANT, 3), 409, "unconfirmed", {"sockets": 3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_keeps_an_order_from_being_carried_out_has_its_answer(
    error: Exception, status: int, code: str, more: dict[str, Any]
) -> None:
    with pytest.raises(AdminRefusal) as refused, said_as_refusals():
        raise error
    response = refused.value.response()
    body = body_of(response)
    assert (response.status_code, body.pop("code")) == (status, code)
    assert body.pop("msg").endswith((".", "`why`."))
    assert body == more


def test_a_failing_guard_is_said_in_its_own_words() -> None:
    with pytest.raises(AdminRefusal) as refused, said_as_refusals():
        raise GuardFailed([VERDICT])
    assert refused.value.body["msg"] == "The last V2 message was 2 days ago. Mend that, or force it and say why."


def test_what_nobody_foresaw_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), said_as_refusals():
        raise ZeroDivisionError


# What is sent.


SECRET = "very secret"


def refusal(order: type[NewStage | StepBack], body: bytes) -> AdminRefusal:
    with pytest.raises(AdminRefusal) as refused:
        order.in_body(body)
    return refused.value


def test_what_is_left_out_of_an_order_stays_as_it_is() -> None:
    assert NewStage.in_body(b'{"stage":"drain"}').wanted() == WantedChange(stage="drain")
    assert NewStage.in_body(b'{"v2_routing":"group"}').wanted() == WantedChange(v2_routing="group")
    assert NewStage.in_body(b'{"share":0}').wanted() == WantedChange(share=0)


def test_a_whole_order_is_wanted_word_for_word() -> None:
    order = {"stage": "drain", "share": 12.25, "v2_routing": "global", "why": "x" * 1_000, "version": 7, "force": True}
    order["confirm"] = "acme"
    assert NewStage.in_body(json.dumps(order).encode()).wanted() == WantedChange(**order)  # type: ignore[arg-type]


def test_an_order_that_wants_nothing_is_told_what_it_could_want() -> None:
    for body in (b"{}", b'{"why":"because","version":3,"force":true}', b'{"stage":null}'):
        assert refusal(NewStage, body).body["msg"] == "name a stage, a share or a v2_routing."


def test_a_step_back_may_say_nothing() -> None:
    assert StepBack.in_body(b"{}") == StepBack(why="", version=None)


@pytest.mark.parametrize(
    ("order", "body", "fields"),
    [
        (NewStage, {"stage": "v4"}, ["stage"]),
        (NewStage, {"share": 101}, ["share"]),
        (NewStage, {"share": -1}, ["share"]),
        (NewStage, {"share": "50"}, ["share"]),
        (NewStage, {"stage": "v3", "force": "yes"}, ["force"]),
        (NewStage, {"stage": "v3", "version": 1.0}, ["version"]),
        (NewStage, {"stage": "v3", "why": "x" * 1_001}, ["why"]),
        (NewStage, {"stage": "v4", "share": 101, "who": "me"}, ["stage", "share", "who"]),
        (StepBack, {"stage": "v3"}, ["stage"]),
        (StepBack, {"why": 7}, ["why"]),
        (StepBack, [], [""]),
    ],
)
def test_each_field_that_cannot_be_read_is_named(
    order: type[NewStage | StepBack], body: Any, fields: list[str]
) -> None:
    refused = refusal(order, json.dumps(body).encode())
    assert (refused.status, refused.body["code"]) == (422, "invalid_order")
    assert [problem["field"] for problem in refused.body["detail"]] == fields


@pytest.mark.parametrize(
    "body",
    [
        *(f'{{"stage":"{SECRET}"}}', f'{{"share":"{SECRET}"}}', f'["{SECRET}"]', f'"{SECRET}"', f'{{"stage":"{SECRET}'),
        f'{{"stage":"v3","why":{{"{SECRET}":1}}}}',
    ],
)
def test_what_was_sent_is_never_said_back(body: str) -> None:
    assert SECRET not in str(refusal(NewStage, body.encode()).body)


@pytest.mark.parametrize(("order", "is_required"), [(NewStage, True), (StepBack, False)])
def test_the_document_says_what_may_be_sent_and_whether_it_must_be(
    order: type[NewStage | StepBack],
    is_required: bool,  # noqa: FBT001 - a row of the table
) -> None:
    body = described(order, is_required=is_required)["requestBody"]
    assert body["required"] is is_required
    schema = body["content"]["application/json"]["schema"]
    assert (set(schema["properties"]), schema["additionalProperties"]) == (set(order.model_fields), False)
