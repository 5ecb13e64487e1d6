"""What a command about one tenant works with: the tenant as it is now, and the bounds of its records."""

from __future__ import annotations

import time
from typing import Any

import pytest
import typer

from bridge.cli.tenant_session import TenantSession, operate
from bridge.config.settings import Settings, load
from bridge.tenants.change_log import Change, make
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import DAY, TENANT, Desk, now, v2
from tests.bridge.cli.tenant_configuration import Stored


def settings_of(url: str, prefix: str, **more: Any) -> Settings:
    tables = {TENANT: {"stage": "drain", "share": 25, "guard": {"quiet_days": 7}}}
    return load(redis_url=url, prefix=prefix, tenants=tables, **more)


async def test_a_tenant_is_as_redis_says_with_the_guards_of_its_configuration(
    desk: Desk, redis_url: str, prefix: str
) -> None:
    at = TenantSession(desk.redis, settings_of(redis_url, prefix))
    assert await at.tenant(TENANT) == Tenant(TENANT, "drain", 25, guard=GuardRules(quiet_days=7))
    before, after = Standing("drain", 25, "global"), Standing("v3", 0, "group")
    await make(desk.redis, desk.addresses, Change(TENANT, 0, "ann", "", before, after, ""))
    assert await at.tenant(TENANT) == Tenant(TENANT, "v3", 0, "group", guard=GuardRules(quiet_days=7), version=1)


async def test_a_tenant_that_nobody_knows_ends_the_command(
    desk: Desk, redis_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = TenantSession(desk.redis, settings_of(redis_url, prefix))
    with pytest.raises(typer.Exit) as end:
        await at.tenant("nobody")
    assert end.value.exit_code == 1
    assert "there are acme, default" in capsys.readouterr().err


async def test_records_are_read_within_the_days_that_are_configured(desk: Desk, redis_url: str, prefix: str) -> None:
    await desk.met(v2("42"), now() - 5 * DAY, now() - 5 * DAY)
    for days, total in ((7, 1), (3, 0)):
        at = TenantSession(desk.redis, settings_of(redis_url, prefix, census_days=days))
        census = await at.reports.census(await at.tenant(TENANT))
        assert (census["days"], census["total"]) == (days, total)


def test_the_work_is_done_for_the_tenant_that_is_named(redis_url: str, prefix: str, stored: Stored) -> None:
    stored.write(TENANT, stage="v3")
    found: list[Tenant] = []

    async def work(at: TenantSession, tenant: Tenant) -> None:
        found.extend([tenant, await at.tenant(TENANT)])

    operate(settings_of(redis_url, prefix), TENANT, work)
    assert [tenant.stage for tenant in found] == ["v3", "v3"]


def test_while_redis_cannot_be_reached_the_command_ends_with_its_address(
    prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work(_at: TenantSession, _tenant: Tenant) -> None:
        raise AssertionError("there is nothing to work with")

    with pytest.raises(typer.Exit):
        operate(settings_of("redis://:secret@127.0.0.1:1/0", prefix), TENANT, work)
    said = capsys.readouterr().err
    assert "127.0.0.1:1" in said
    assert "secret" not in said


def test_the_clock_of_whoever_asks_does_not_matter(
    redis_url: str, prefix: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.write(TENANT, stage="v3")
    real, found = time.time, list[float]()

    async def work(at: TenantSession, _tenant: Tenant) -> None:
        found.append(at.reader.milliseconds_now() / 1_000 - real())

    monkeypatch.setattr(time, "time", lambda: real() + 300)
    operate(settings_of(redis_url, prefix), TENANT, work)
    assert found == [pytest.approx(0, abs=30)]
