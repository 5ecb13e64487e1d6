"""The watch over a step that was made: which one it takes back, for what reason, and who of many does it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from redis.asyncio import Redis

from bridge.cutover import guard_watch
from bridge.cutover.changes import WantedChange
from bridge.cutover.guard_watch import WATCHER, GuardWatch
from bridge.records.store_reader import StoreReader
from bridge.tenants.change_log import Change, back, make
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk, now
from tests.bridge.broker.parts import running, until

BRIDGE, V3 = Standing("bridge", 0, "global"), Standing("v3", 0, "global")
GUARD = GuardRules(stashed_percent=5, lost_percent=3)
WATCHED_SECONDS = GUARD.watch_minutes * 60


class Watch:
    """The watch of one process, with the tenants that it knows."""

    def __init__(self, desk: Desk, redis: Redis) -> None:
        self.table = TenantTable(redis, desk.addresses, {TENANT: Tenant(TENANT, guard=GUARD)})
        self.watch = GuardWatch(StoreReader(redis, desk.addresses, desk.tables), self.table, desk.guards)

    @property
    def tenant(self) -> Tenant:
        tenant = self.table.get(TENANT)
        assert tenant is not None
        return tenant

    async def look(self) -> None:
        await self.watch.look(self.tenant)


@pytest.fixture
async def watch(desk: Desk) -> Watch:
    return Watch(desk, desk.redis)


@pytest.fixture
async def watches(desk: Desk, redis_url: str) -> AsyncIterator[Sequence[Watch]]:
    """Several processes, each with a link of its own."""
    async with Redis.from_url(redis_url, protocol=2) as one, Redis.from_url(redis_url, protocol=2) as other:
        yield [Watch(desk, one), Watch(desk, other)]


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def step(
    desk: Desk,
    *watches: Watch,
    seconds_ago: float = 0,
    before: Standing = BRIDGE,
    after: Standing = V3,
    forced: Any = (),
    wrong_by: float = 0,
) -> Change:
    """A step that was made so long ago, by an author whose clock is wrong by so many seconds."""
    change = Change(TENANT, 0, "ann", ago(seconds_ago - wrong_by), before, after, "because", forced=forced)
    made = await make(desk.redis, desk.addresses, change)
    await desk.made_at(now() - round(seconds_ago * 1_000))
    for each in watches:
        await each.table.look()
    return made


async def stash(desk: Desk) -> None:
    """From now on one guard fails."""
    await desk.converted("stashed", 9, now())


async def record(desk: Desk) -> list[Change]:
    return await desk.changes.newest(Tenant(TENANT))


async def test_a_step_is_taken_back_when_a_guard_that_it_passed_holds_no_longer(desk: Desk, watch: Watch) -> None:
    made = await step(desk, watch)
    await watch.look()
    assert await record(desk) == [made]
    await stash(desk)
    await watch.look()
    taken_back, _ = await record(desk)
    assert (taken_back.who, taken_back.kind, taken_back.rolls_back) == (WATCHER, "rollback", made.version)
    assert (taken_back.before, taken_back.after) == (V3, BRIDGE)
    assert taken_back.why == (
        "taken back by guard: stashed_percent: "
        "100 % of what V2 said in the last 2 days was stashed; at most 5 % may be."
    )
    assert watch.watch.rolled_back == 1
    assert Standing.of(watch.tenant) == BRIDGE  # obeyed here at once


async def test_a_step_that_is_ordered_once_more_is_still_watched(desk: Desk, watch: Watch) -> None:
    made = await step(desk, watch)
    await desk.changes.make(watch.tenant, "ann", WantedChange("v3"))
    await watch.table.look()
    await stash(desk)
    await watch.look()
    taken_back, *_ = await record(desk)
    assert (taken_back.kind, taken_back.rolls_back, taken_back.after) == ("rollback", made.version, BRIDGE)


async def test_what_was_taken_back_is_not_watched_any_more(desk: Desk, watch: Watch) -> None:
    await step(desk, watch)
    await stash(desk)
    for _ in range(3):
        await watch.look()
    assert len(await record(desk)) == 2
    assert watch.watch.rolled_back == 1


@pytest.mark.parametrize("is_failing_already", [True, False])
async def test_a_step_that_was_forced_is_not_taken_back(
    desk: Desk,
    watch: Watch,
    is_failing_already: bool,  # noqa: FBT001 - a row of the table
) -> None:
    if is_failing_already:
        await stash(desk)
    made = await desk.changes.make(watch.tenant, "ann", WantedChange("v3", why="all the same", force=True))
    await watch.table.look()
    await stash(desk)
    await watch.look()
    assert await record(desk) == [made]


async def test_a_guard_that_was_not_forced_is_asked_all_the_same(desk: Desk, watch: Watch) -> None:
    await step(desk, watch, forced=("lost_percent",))
    await stash(desk)
    await watch.look()
    taken_back, _ = await record(desk)
    assert "stashed_percent" in taken_back.why


async def test_limits_that_are_set_after_the_step_are_obeyed_for_it(desk: Desk, watch: Watch) -> None:
    """Without a restart: a limit that was lifted takes nothing back, one that was set does."""
    made = await step(desk, watch)
    await desk.changes.set_guards(watch.tenant, "ann", GuardRules(), "too strict")
    await stash(desk)
    await watch.table.look()
    await watch.look()
    assert Standing.of(watch.tenant) == V3
    await desk.changes.set_guards(watch.tenant, "ann", GuardRules(stashed_percent=50), "")
    await watch.table.look()
    await watch.look()
    taken_back, *_ = await record(desk)
    assert (taken_back.kind, taken_back.rolls_back, taken_back.after) == ("rollback", made.version, BRIDGE)


async def test_taking_back_never_goes_forward(desk: Desk, watch: Watch) -> None:
    """A step that went forward to v3, and back to the global routing: only its way forward is taken back."""
    await step(desk, watch, before=Standing("drain", 25, "group"), after=V3)
    await stash(desk)
    await watch.look()
    taken_back, _ = await record(desk)
    assert taken_back.after == Standing("drain", 25, "global")


@pytest.mark.parametrize("wrong_by", [-3_600, -300, 0, 300, 3_600])
@pytest.mark.parametrize(("seconds_ago", "is_taken_back"), [(WATCHED_SECONDS - 30, True), (WATCHED_SECONDS + 1, False)])
async def test_a_step_is_watched_for_ten_minutes_whatever_the_clock_of_its_author_says(
    desk: Desk,
    watch: Watch,
    seconds_ago: float,
    is_taken_back: bool,  # noqa: FBT001 - a row of the table
    wrong_by: float,
) -> None:
    await step(desk, watch, seconds_ago=seconds_ago, wrong_by=wrong_by)
    await stash(desk)
    await watch.look()
    assert watch.watch.rolled_back == is_taken_back
    assert WATCHED_SECONDS == 600


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (V3, BRIDGE),
        (Standing("drain", 50, "global"), Standing("drain", 20, "global")),
        (Standing("legacy", 0, "global"), BRIDGE),
        (BRIDGE, Standing("bridge", 0, "group")),
    ],
    ids=str,
)
async def test_a_step_that_no_guard_was_asked_about_is_not_watched(
    desk: Desk, watch: Watch, before: Standing, after: Standing
) -> None:
    made = await step(desk, watch, before=before, after=after)
    await stash(desk)
    await watch.look()
    assert await record(desk) == [made]


async def test_a_rollback_is_never_watched(desk: Desk, watch: Watch) -> None:
    made = await step(desk, watch, before=V3, after=BRIDGE)
    await make(desk.redis, desk.addresses, back(watch.tenant, V3, made.version, "ann", ago(0), "as it never is"))
    await watch.table.look()
    await stash(desk)
    await watch.look()
    assert Standing.of(watch.tenant) == V3
    assert watch.watch.rolled_back == 0


async def test_of_many_that_watch_one_takes_it_back(desk: Desk, watches: Sequence[Watch]) -> None:
    await step(desk, *watches)
    await stash(desk)
    await asyncio.gather(*(each.look() for each in watches))
    assert sum(each.watch.rolled_back for each in watches) == 1
    assert [change.kind for change in await record(desk)] == ["rollback", "change"]


async def test_whoever_was_quicker_by_hand_is_not_undone(desk: Desk, watch: Watch) -> None:
    made = await step(desk, watch)
    stale = watch.tenant
    await stash(desk)
    by_hand = await make(desk.redis, desk.addresses, back(stale, BRIDGE, made.version, "ann", ago(0), "by hand"))
    await watch.watch.look(stale)
    assert await record(desk) == [by_hand, made]
    assert watch.watch.rolled_back == 0


async def test_somebody_who_changes_it_between_look_and_order_wins(desk: Desk, watch: Watch) -> None:
    made = await step(desk, watch)
    await stash(desk)
    await watch.watch.look(replace(watch.tenant, version=made.version - 1))
    assert await record(desk) == [made]


async def test_a_tenant_that_nothing_was_done_to_is_left_alone(desk: Desk, watch: Watch) -> None:
    await stash(desk)
    await watch.look()
    assert await record(desk) == []


async def test_it_looks_by_itself_and_one_look_that_fails_is_one_look_less(
    desk: Desk, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_watch, "LOOK_SECONDS", 0.02)
    name = desk.addresses.tenant(TENANT)
    made = await step(desk, watch)
    said = json.dumps({**made.as_json(), "version": 0})
    await desk.redis.hset(name, "change", "garbage")
    await stash(desk)
    with structlog.testing.capture_logs() as logged:
        async with running(watch.watch):
            await until(lambda: watch.watch.failures > 1)
            await desk.redis.hset(name, "change", said)
            await until(lambda: "guard_rolled_back" in [line["event"] for line in logged])
        assert len(await record(desk)) == 2
    assert [line["event"] for line in logged if line.get("tenant") == TENANT] == [
        "guards_unreadable",
        "guard_rolled_back",
    ]


async def test_a_step_that_was_held_up_at_a_command_line_is_told(
    desk: Desk, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_watch, "LOOK_SECONDS", 0.01)
    note = json.dumps({"when": ago(0), "who": "ann@desk", "guards": ["lost_percent"]})
    await desk.redis.set(desk.addresses.held_step(TENANT), note)
    with structlog.testing.capture_logs() as logged:
        async with running(watch.watch):
            await until(lambda: bool(logged))
    assert [(line["event"], line["who"]) for line in logged] == [("guard_held", "ann@desk")]
