"""A step that guards hold up at a command line is a line in the log of each process, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.cutover.changes import Changes, GuardFailed, WantedChange
from bridge.cutover.guards import Verdict
from bridge.cutover.held_steps import HeldSteps
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk

ACME = Tenant(TENANT)
VERDICT = Verdict("lost_percent", 5, 50, holds=False, sentence="Half of them knock again and again.")


async def hold_up(desk: Desk, monkeypatch: pytest.MonkeyPatch, who: str = "ann@desk") -> None:
    async def failing(*_: object) -> list[Verdict]:
        return [VERDICT]

    monkeypatch.setattr(Changes, "failing", failing)
    check = desk.changes.check(ACME, replace(Standing.of(ACME), stage="v3"), WantedChange(stage="v3"))
    with pytest.raises(GuardFailed):
        await HeldSteps(desk.redis, desk.addresses).noted(TENANT, who, check)


async def told(steps: HeldSteps) -> list[Any]:
    with capture_logs() as logged:
        await steps.tell(TENANT)
    return logged


async def test_each_process_tells_of_a_step_that_was_held_up_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [HeldSteps(desk.redis, desk.addresses) for _ in range(2)]
    assert [await told(one) for one in processes] == [[], []]
    await hold_up(desk, monkeypatch)
    line = {"event": "guard_held", "log_level": "info", "tenant": TENANT, "who": "ann@desk", "guards": ["lost_percent"]}
    assert [await told(one) for one in processes] == [[line], [line]]
    assert [await told(one) for one in processes] == [[], []]
    await hold_up(desk, monkeypatch)
    assert await told(processes[0]) == [line]


async def test_a_step_that_passes_leaves_no_note(desk: Desk) -> None:
    steps = HeldSteps(desk.redis, desk.addresses)
    made = await steps.noted(TENANT, "ann", desk.changes.make(ACME, "ann", WantedChange(stage="legacy")))
    assert made.after.stage == "legacy"
    assert not await desk.redis.exists(desk.addresses.held_step(TENANT))


async def test_a_note_is_gone_after_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await hold_up(desk, monkeypatch, who="a lone \ud83d")
    assert 0 < await desk.redis.ttl(desk.addresses.held_step(TENANT)) <= 60
    (line,) = await told(HeldSteps(desk.redis, desk.addresses))
    assert line["who"].startswith("a lone ")


@pytest.mark.parametrize("note", ["nonsense", "{}", '{"when": "", "who": "ann", "guards": ["no_guard"]}'])
async def test_what_is_not_ours_is_not_told(desk: Desk, note: str) -> None:
    await desk.redis.set(desk.addresses.held_step(TENANT), note)
    assert await told(HeldSteps(desk.redis, desk.addresses)) == []
    await desk.redis.delete(desk.addresses.held_step(TENANT))
    await desk.redis.hset(desk.addresses.held_step(TENANT), "a", "b")
    assert not [line for line in await told(HeldSteps(desk.redis, desk.addresses)) if line["event"] == "guard_held"]
