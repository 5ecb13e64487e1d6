"""Everything that is asked about one tenant, where Redis holds nothing of it, or what somebody else wrote."""

from __future__ import annotations

import pytest

from bridge.records.rows import Noted
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk, now, v2

ACME = Tenant(TENANT)
V3 = Standing("v3", 0, "global")


async def test_a_tenant_of_which_nothing_is_known_has_an_empty_report_of_each_kind(desk: Desk, at_once: None) -> None:
    assert (await desk.reports.census(ACME))["clients"] == []
    ledger = await desk.reports.ledger(ACME)
    assert ledger["keys"] == []
    assert ledger["outcomes"]["v2_to_v3"] == {"exact": 0, "stashed": 0, "suppressed": 0}
    assert await desk.reports.history(ACME) == {"tenant": TENANT, "minutes": [], "hours": []}
    assert await desk.guards.verdicts(ACME) == []
    prediction = await desk.dry_run.predict(ACME, V3)
    assert (prediction["refused"], prediction["silenced"], prediction["quieter"]) == ([], [], [])
    assert (prediction["since"], prediction["complete"], prediction["traffic"]["share"]) == (None, True, 0.0)


async def test_what_somebody_else_wrote_under_our_names_is_no_row_of_a_report(desk: Desk, at_once: None) -> None:
    for roll in (desk.tables.census, desk.tables.speeches, desk.tables.ledger, desk.tables.minutes, desk.tables.hours):
        await desk.note(roll, *(Noted(key, now(), now(), 1) for key in ("garbage", "[]", "7", '["v2"]')))
    assert (await desk.reports.census(ACME, "all"))["clients"] == []
    assert (await desk.reports.ledger(ACME))["keys"] == []
    assert (await desk.reports.history(ACME))["minutes"] == []
    assert (await desk.dry_run.predict(ACME, V3))["traffic"]["messages"] == 0
    (quiet,) = await desk.guards.verdicts(Tenant(TENANT, guard=GuardRules(quiet_days=1)))
    assert quiet.holds


@pytest.mark.parametrize("garbage", [("SET", "garbage"), ("RPUSH", "garbage")])
async def test_whatever_type_stands_under_a_tenants_names_its_reports_say_the_rest(
    desk: Desk, at_once: None, garbage: tuple[str, ...]
) -> None:
    names = [desk.addresses.roll(TENANT, name) for name in ("census", "speeches", "ledger", "minutes", "hours")]
    names += [f"{name}:order" for name in names] + [desk.addresses.holders(TENANT, "lobby")]
    await desk.met(v2("42"), now(), now())
    for name in names:
        await desk.redis.delete(name)
        await desk.redis.execute_command(garbage[0], name, *garbage[1:])  # type: ignore[no-untyped-call]
    guarded = Tenant(TENANT, guard=GuardRules(stashed_percent=5, quiet_days=1, lost_percent=0))
    assert (await desk.reports.census(guarded, "all"))["clients"] == []
    assert (await desk.reports.ledger(guarded))["keys"] == []
    assert (await desk.reports.history(guarded))["hours"] == []
    assert [verdict.holds for verdict in await desk.guards.verdicts(guarded)] == [True] * 3
    assert (await desk.dry_run.predict(guarded, V3))["refused"] == []
