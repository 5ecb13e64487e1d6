"""Each change of a tenant is a line of the log: from where to where, by whom and why."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from structlog.testing import capture_logs

from bridge.cutover.change_lines import ChangeLines
from bridge.cutover.changes import WantedChange
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk
from tests.end_to_end.clients import eventually

ACME = Tenant(TENANT)


async def test_a_change_is_told_with_its_author_and_reason(desk: Desk) -> None:
    lines = ChangeLines(desk.redis, desk.addresses)
    await desk.changes.make(ACME, "ann", WantedChange(stage="legacy", why="a rehearsal"))
    running = asyncio.create_task(lines.run())
    with capture_logs() as said:
        lines.changed(ACME, replace(ACME, hosts=("acme.example.com",)))
        lines.changed(ACME, replace(ACME, stage="legacy"))

        async def is_told() -> bool:
            return bool(said)

        await eventually(is_told)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    (line,) = said
    assert (line["event"], line["tenant"], line["before"], line["after"]) == (
        "tenant_moved",
        TENANT,
        "bridge",
        "legacy",
    )
    assert (line["who"], line["why"], line["log_level"]) == ("ann", "a rehearsal", "info")


async def test_a_change_whose_author_nobody_knows_is_told_too(desk: Desk) -> None:
    lines = ChangeLines(desk.redis, desk.addresses)
    assert await lines._author(TENANT) == ("", "")
    await desk.redis.hset(desk.addresses.tenant(TENANT), "change", "nonsense")
    assert await lines._author(TENANT) == ("", "")
