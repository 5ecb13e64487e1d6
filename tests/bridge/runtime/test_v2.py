"""What there is of V2 in a process, and what goes with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from bridge.admin.service import TenantService
from bridge.broker.presence import Place
from bridge.cutover.changes import WantedChange
from bridge.cutover.evictions import Eviction
from bridge.runtime.doors import Doors
from bridge.runtime.process import Process
from legacy_v2.ports import Guest
from tests.bridge.assembled import assembled, numbers, started
from tests.bridge.broker.parts import Answers, until
from tests.bridge.messaging.test_part import opened

OLD = Guest("acme", "team", "42", "team", "v2-42", "none")


@pytest.fixture
async def process(redis_url: str, prefix: str) -> AsyncIterator[Process]:
    tenants: Any = {"acme": {"dialect": {"caption": {"field": "msg"}}}}
    async with assembled(redis_url, prefix, tenants=tenants) as one:
        yield one


async def test_a_sign_of_life_is_for_the_guest_by_its_v3_names(process: Process) -> None:
    entered = Answers()
    async with started(process):
        process.broker.presence.enter(Place("acme", "team", "v2-42", "v2"), entered)
        await entered.next()
        (entry,) = process.broker.presence._entries
        entry.touched_at = 0
        process.v2.ports.presence.sign_of_life(OLD)()
        assert entry.touched_at > 0


async def test_what_is_refused_is_counted_as_of_v2(process: Process) -> None:
    process.v2.ports.tally.refused("acme", "too_fast")
    assert process.records.counts.refusals == {("acme", "v2", "too_fast"): 1}


async def test_of_a_frame_those_names_are_written_that_the_dialect_does_not_explain(process: Process) -> None:
    process.v2.ports.bus.say_frame(OLD, '{"caption": "x", "volume": 3}', 0, Answers())
    process.records.writer.flush()
    ledger = [key for rows in process.records.backlog.take().values() for key in rows]
    assert "caption" not in str(ledger)
    assert "volume" in str(ledger)


async def test_a_tenant_that_changes_moves_its_connections(process: Process) -> None:
    connection = opened(process, [])
    before = process.tenants.table.get("acme")
    assert before is not None
    process.tenants.table.changed(before, before)
    assert process.v2.evictions.waiting == 0
    after = process.tenants.table._tenants["acme"] = replace(before, stage="legacy")
    process.tenants.table.changed(before, after)
    assert process.v2.evictions._due == {connection: Eviction("stage_legacy", {})}
    assert numbers(process.v2)["bridge_moves_waiting"] == 1


async def test_moves_and_guards_go_on_by_themselves(process: Process) -> None:
    assert list(process.v2.tasks()) == [process.v2.evictions, process.v2.guard_watch, process.v2.change_lines]


async def test_all_that_is_counted_here_is_told(process: Process) -> None:
    process.records.counts.conversions["acme", "v2_to_v3", "exact"] = 1
    process.v2.evictions.evicted = 2
    process.v2.guard_watch.rolled_back, process.v2.guard_watch.failures = 3, 4
    process.v2.cutover.changes.unreadable = 5
    assert numbers(process.v2) == {
        ("bridge_conversions_total", "acme", "v2_to_v3", "exact"): 1,
        "bridge_moves_waiting": 0,
        "bridge_moves_total": 2,
        "bridge_guard_rollbacks_total": 3,
        "bridge_guard_failures_total": 4,
        "bridge_changes_unreadable_total": 5,
    }


@pytest.mark.parametrize(("has_page", "status"), [(True, 200), (False, 404)])
async def test_its_paths_ask_for_an_upgrade_and_the_playground_is_there_where_it_is_wanted(
    process: Process,
    has_page: bool,  # noqa: FBT001
    status: int,
) -> None:
    app = FastAPI()
    tenants: Any = TenantService
    process.v2.mount(app, Doors(), tenants, has_page=has_page)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge") as http:
        assert (await http.get("/ws/group/team/client/42")).status_code == 426
        assert (await http.get("/")).status_code == status


async def test_where_a_tenant_stands_at_the_start_is_no_change_and_what_comes_after_is(process: Process) -> None:
    changes, table = process.v2.cutover.changes, process.tenants.table
    await changes.make(table.of("acme"), "ann", WantedChange(stage="legacy", why="before the start"))
    with capture_logs() as logged:
        async with started(process):
            assert table.of("acme").stage == "legacy"
            await changes.make(table.of("acme"), "ann", WantedChange(stage="bridge", why="after it"))
            await table.look_once()
            await until(lambda: "tenant_moved" in [line["event"] for line in logged])
    assert [line["why"] for line in logged if line["event"] == "tenant_moved"] == ["after it"]
