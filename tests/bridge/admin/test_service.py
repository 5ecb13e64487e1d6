"""How an order is carried out: at the version that its author named, else as soon as nobody else is at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, cast

import pytest

from bridge.admin.pace import ORDERS_AT_ONCE
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal
from bridge.cutover.changes import ATTEMPTS, WantedChange
from bridge.handshake.authentication import Administrator, Authentication
from bridge.tenants.change_log import Stale
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk

BOSS, CHIEF = Administrator("boss", ("*",)), Administrator("chief", ("other",))


@pytest.fixture
def two(desk: Desk) -> list[TenantService]:
    """The services of two processes, each with a table of its own."""
    tables = [TenantTable(desk.redis, desk.addresses, {TENANT: Tenant(TENANT)}) for _ in range(2)]
    nobody = cast(Authentication, None)
    return [
        TenantService(nobody, table, desk.redis, desk.addresses, desk.cutover, desk.reports, lambda: True)
        for table in tables
    ]


def wanting(at: TenantService, **wanted: Any) -> Callable[[Tenant], Awaitable[Any]]:
    return lambda tenant: at.cutover.changes.make(tenant, "boss", WantedChange(**wanted))


async def test_an_order_is_obeyed_at_once_and_answered_with_the_new_state(two: list[TenantService]) -> None:
    state = await two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=7))
    assert (state["stage"], state["share"], state["version"]) == ("drain", 7, 1)
    assert two[0].tenant(BOSS, TENANT).stage == "drain"


async def test_an_order_without_a_version_is_for_the_tenant_as_another_process_left_it(
    two: list[TenantService],
) -> None:
    await two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=7))
    state = await two[1].carry_out(BOSS, TENANT, None, wanting(two[1], share=9))
    assert (state["stage"], state["share"], state["version"]) == ("drain", 9, 2)


async def test_what_is_to_be_predicted_is_predicted_of_the_tenant_as_another_process_left_it(
    two: list[TenantService],
) -> None:
    await two[0].carry_out(BOSS, TENANT, None, wanting(two[0], stage="drain", share=7))
    assert two[1].tenant(BOSS, TENANT).stage == "bridge"
    assert (await two[1].fresh(BOSS, TENANT)).stage == "drain"


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


async def test_an_order_that_is_overtaken_is_given_again_but_not_for_ever(two: list[TenantService]) -> None:
    some, all_the_time = Overtaken(ATTEMPTS - 1), Overtaken(ATTEMPTS)
    await two[0].carry_out(BOSS, TENANT, None, some)
    assert some.calls == ATTEMPTS
    with pytest.raises(AdminRefusal) as refused:
        await two[0].carry_out(BOSS, TENANT, None, all_the_time)
    assert (refused.value.status, refused.value.body["version"], all_the_time.calls) == (409, 7, ATTEMPTS)


async def test_whoever_names_a_version_is_asked_again_when_it_is_overtaken(two: list[TenantService]) -> None:
    once = Overtaken(1)
    with pytest.raises(AdminRefusal) as refused:
        await two[0].carry_out(BOSS, TENANT, 0, once)
    assert (refused.value.body["code"], once.calls) == ("stale", 1)


async def test_orders_of_one_party_are_carried_out_one_after_the_other_and_none_is_overtaken(
    two: list[TenantService],
) -> None:
    given = [two[0].carry_out(BOSS, TENANT, None, wanting(two[0], share=share)) for share in range(ATTEMPTS * 4)]
    states = await asyncio.gather(*given)
    assert [(state["version"], state["share"]) for state in states] == [
        (share + 1, share) for share in range(len(states))
    ]


async def test_beyond_its_pace_nothing_more_is_ordered_of_a_tenant_but_by_the_platform(
    two: list[TenantService],
) -> None:
    owner, order = Administrator("ann", (TENANT,)), Overtaken(0)
    for _ in range(ORDERS_AT_ONCE - 1):
        two[0].ordered(owner, TENANT)
    await two[0].carry_out(owner, TENANT, None, order)
    for ordering in (partial(two[0].carry_out, owner, TENANT, None, order), partial(at_once, two[0], owner)):
        with pytest.raises(AdminRefusal) as refused:
            await ordering()
        assert (refused.value.status, refused.value.body["code"]) == (429, "rate_limited")
    assert order.calls == 1
    await two[0].carry_out(BOSS, TENANT, None, order)
    assert order.calls == 2


async def at_once(service: TenantService, administrator: Administrator) -> None:
    service.ordered(administrator, TENANT)


async def test_who_may_not_order_of_a_tenant_takes_nothing_of_its_pace(two: list[TenantService]) -> None:
    for _ in range(2 * ORDERS_AT_ONCE):
        with pytest.raises(AdminRefusal) as refused:
            await two[0].carry_out(CHIEF, TENANT, None, Overtaken(0))
        assert refused.value.status == 404
    await two[0].carry_out(Administrator("ann", (TENANT,)), TENANT, None, Overtaken(0))


async def test_nothing_is_ordered_of_a_tenant_that_the_key_is_not_for(two: list[TenantService]) -> None:
    order = Overtaken(0)
    for administrator, name in ((CHIEF, TENANT), (BOSS, "nobody")):
        with pytest.raises(AdminRefusal) as refused:
            await two[0].carry_out(administrator, name, None, order)
        assert (refused.value.status, refused.value.body["code"]) == (404, "unknown_tenant")
    assert order.calls == 0


async def test_who_asks_is_looked_at_on_the_loop(two: list[TenantService]) -> None:
    """FastAPI gives what is not `async` to a thread, and sockets are the loop's alone."""
    assert iscoroutinefunction(two[0].administrator)
