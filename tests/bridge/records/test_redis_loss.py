"""What Redis has lost is written into the change logs of those who lost it, and whoever is connected is noted again."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bridge.records.redis_loss import RedisLoss
from bridge.tenants.change_log import LOSS, REPLACED, Change
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk
from tests.bridge.records.book import OLD, Book

WHEN = "2026-11-29T12:00:00.000000Z"
TENANTS = {name: Tenant(name, stage="drain", share=7) for name in (TENANT, "other")}


class Lossy:
    """One process with one client, and what the change logs say after a loss."""

    def __init__(self, desk: Desk, redis: Redis) -> None:
        self.book = Book(desk)
        self.book.recorder.arrived(TENANT, OLD, "kiosk/1")
        self.book.backlog.take()
        table = TenantTable(redis, desk.addresses, TENANTS)
        self.loss = RedisLoss(desk.bus, desk.addresses, table, self.book.recorder, lambda: WHEN)

    async def said(self) -> dict[str, list[Change]]:
        await self.book.desk.settled()
        return {name: await self.book.desk.changes.newest(tenant) for name, tenant in TENANTS.items()}

    @property
    def noted_again(self) -> int:
        return self.book.backlog.waiting


@pytest.fixture
async def lossy(desk: Desk) -> Lossy:
    return Lossy(desk, desk.redis)


@pytest.mark.parametrize("must_say", [True, False])
async def test_of_data_that_redis_lost_every_tenant_is_told_by_the_one_process_that_must_say_so(
    lossy: Lossy,
    must_say: bool,  # noqa: FBT001 - a row of the table
) -> None:
    with capture_logs() as logs:
        lossy.loss.data_lost(must_say)
    said = await lossy.said()
    assert [len(changes) for changes in said.values()] == [int(must_say)] * 2
    for (change,) in said.values() if must_say else []:
        assert (change.kind, change.why, change.when, change.who) == ("loss", LOSS, WHEN, "aether-bridge")
        assert (change.before, change.after.share) == (change.after, 7)
    assert lossy.noted_again == 1
    assert [line["event"] for line in logs] == ["redis_lost_its_data"]


async def test_of_a_change_log_that_was_replaced_its_tenants_are_told(lossy: Lossy) -> None:
    with capture_logs() as logs:
        lossy.loss.change_logs_lost([TENANTS["other"]])
    said = await lossy.said()
    assert (said[TENANT], [change.why for change in said["other"]]) == ([], [REPLACED.format("record")])
    assert lossy.noted_again == 0
    assert [(line["event"], line["tenants"]) for line in logs] == [("record_lost", ["other"])]


async def test_of_a_table_that_was_replaced_its_tenant_is_told_and_the_connected_are_noted_again(lossy: Lossy) -> None:
    with capture_logs() as logs:
        lossy.loss.table_lost(TENANT, "census")
    said = await lossy.said()
    assert ([change.why for change in said[TENANT]], said["other"]) == ([REPLACED.format("census")], [])
    assert lossy.noted_again == 1
    assert [(line["event"], line["tenant"], line["roll"]) for line in logs] == [("roll_lost", TENANT, "census")]
