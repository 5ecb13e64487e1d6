"""What `/metrics` says of the migration. What it says of connections, messages and Redis: `tests/end_to_end`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.budget.budget import Budget
from bridge.config.settings import load
from bridge.runtime.metrics import Metrics
from bridge.runtime.process import Process
from bridge.sockets.part import Sockets
from bridge.sockets.strangers import Strangers
from v3.ports import Guest

STRANGERS = Strangers(3, 3, 1)
CONFIG = """
[tenants.acme]
stage = "drain"
share = 25
[tenants.other]
stage = "v3"
share = 25
"""


@pytest.fixture
async def process(
    redis_url: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Process]:
    """The parts of a process that does not run."""
    for name in os.environ:
        if name.startswith("BRIDGE_"):
            monkeypatch.delenv(name)
    file = tmp_path / "bridge.toml"
    file.write_text(CONFIG)
    settings = load(file, prefix=prefix)
    parts = Process(settings, redis_url, Budget(settings.limits), Sockets(STRANGERS))
    yield parts
    await parts.broker.redis.aclose()


def said(process: Process) -> dict[str, float]:
    lines = Metrics(process.parts).exposition().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


async def test_the_stage_of_each_tenant_is_one_and_the_others_are_nought(process: Process) -> None:
    metrics = said(process)
    stages = {
        (tenant, stage): metrics[f'bridge_tenant_stage{{stage="{stage}",tenant="{tenant}"}}']
        for tenant in ("acme", "other")
        for stage in ("legacy", "bridge", "drain", "v3")
    }
    assert {where for where, number in stages.items() if number} == {("acme", "drain"), ("other", "v3")}
    assert set(stages.values()) == {0.0, 1.0}


async def test_the_share_is_that_of_a_tenant_in_drain_alone(process: Process) -> None:
    metrics = said(process)
    assert metrics['bridge_tenant_share_percent{tenant="acme"}'] == 25
    assert metrics['bridge_tenant_share_percent{tenant="other"}'] == 0


async def test_refused_handshakes_are_counted_by_tenant(process: Process) -> None:
    process.records.counts.turned_away["acme"] += 3
    assert said(process)['bridge_handshakes_turned_away_total{tenant="acme"}'] == 3


async def test_what_goes_on_by_itself_is_counted(process: Process) -> None:
    names = (
        "bridge_moves_waiting",
        "bridge_moves_total",
        "bridge_guard_rollbacks_total",
        "bridge_records_waiting_rows",
        "bridge_records_left_out_total",
        "bridge_redis_data_lost_total",
        "bridge_changes_unreadable_total",
    )
    before = said(process)
    assert [before[name] for name in names] == [0] * len(names)
    process.v2.evictions.evicted = 5
    process.v2.guard_watch.rolled_back = 1
    process.records.backlog.left_out = 7
    process.broker.memory.losses = 2
    process.v2.cutover.changes.unreadable = 3
    after = said(process)
    assert [after[name] for name in names] == [0, 5, 1, 0, 7, 2, 3]


async def test_rows_that_wait_are_counted(process: Process) -> None:
    ann = Guest("acme", "lobby", "ann", "none")
    process.records.recorder.spoke("v3", ann, {"msg_type": "msg", "target": "group"})
    process.records.writer.flush()
    assert said(process)["bridge_records_waiting_rows"] == 1


async def test_every_family_of_the_migration_says_what_it_is(process: Process) -> None:
    text = Metrics(process.parts).exposition().decode()
    for name in ("tenant_stage", "tenant_share_percent", "handshakes_turned_away_total", "moves_waiting"):
        assert f"# HELP bridge_{name} " in text


async def test_open_sockets_are_told_and_why_others_were_ended() -> None:
    class Socket:
        def abort(self) -> None: ...

    strangers, known = Strangers(3, 3, 1), Socket()
    strangers.came(known, "192.0.2.1")
    strangers.vouch(known)
    for _ in range(3):
        strangers.came(Socket(), "192.0.2.1")
    told = Metrics([Sockets(strangers)]).exposition().decode()
    for line in (
        'bridge_sockets{kind="vouched_for"} 1.0',
        'bridge_sockets{kind="stranger"} 1.0',
        "bridge_sockets_most 3.0",
        'bridge_sockets_ended_total{reason="address"} 2.0',
        'bridge_sockets_ended_total{reason="unread"} 0.0',
    ):
        assert line in told.splitlines()
