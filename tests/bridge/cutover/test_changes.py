"""Orders on a real Redis: guards stand before each step forward, and nowhere else; a step in spite of them says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.cutover.changes import (
    ATTEMPTS,
    GuardFailed,
    NothingToRollBack,
    ReasonMissing,
    ShareRefused,
    Unconfirmed,
    WantedChange,
    WayBack,
    carry_out,
)
from bridge.cutover.guards import is_guarded
from bridge.tenants.change_log import Change, Stale, latest
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.standing import Standing
from bridge.tenants.stored_state import read_state
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import TENANT, Desk, now

STASHED, LOST = GuardRules(stashed_percent=5), GuardRules(lost_percent=3)
BOTH = GuardRules(stashed_percent=5, lost_percent=3)
WHY = "the clients of the kiosk can wait"


def standing(stage: Any, share: float = 0, routing: Any = "global") -> Standing:
    return Standing(stage, share, routing)


def moved(tenant: Tenant, change: Change) -> Tenant:
    return replace(change.after.of_tenant(tenant), version=change.version)


@pytest.fixture
async def stashing(desk: Desk) -> Desk:
    """One in five V2 messages was stashed today."""
    await desk.converted("exact", 4, now())
    await desk.converted("stashed", 1, now())
    return desk


async def test_without_guards_a_step_is_made_and_recorded(desk: Desk) -> None:
    tenant = Tenant(TENANT)
    change = await desk.changes.make(tenant, "ann", WantedChange("drain", 25, why=WHY))
    assert (change.version, change.before, change.after) == (1, standing("bridge"), standing("drain", 25))
    assert (change.who, change.why, change.forced, change.kind) == ("ann", WHY, (), "change")
    assert await desk.changes.newest(tenant) == [change]
    assert (await read_state(desk.redis, desk.addresses, TENANT)).stage == "drain"


async def test_what_is_not_wanted_otherwise_stays(desk: Desk) -> None:
    tenant = Tenant(TENANT, stage="drain", share=25, v2_routing="group")
    assert WantedChange().standing(tenant) == standing("drain", 25, "group")
    assert WantedChange(share=0).standing(tenant) == standing("drain", 0, "group")
    assert WantedChange("drain").standing(tenant) == standing("drain", 25, "group")
    assert WantedChange(v2_routing="global").standing(tenant) == standing("drain", 25)


@pytest.mark.parametrize("stage", ["legacy", "bridge", "v3"])
async def test_the_share_is_forgotten_with_drain_and_named_with_it_alone(stage: Any) -> None:
    drain, elsewhere = Tenant(TENANT, stage="drain", share=25), Tenant(TENANT, stage=stage)
    assert WantedChange(stage).standing(drain) == standing(stage)
    for share in (0, 25):
        for tenant, wanted in ((drain, WantedChange(stage, share)), (elsewhere, WantedChange(share=share))):
            with pytest.raises(ShareRefused, match=r"^a share exists in drain alone"):
                wanted.standing(tenant)
    with pytest.raises(ShareRefused, match=r"^drain needs a share"):
        WantedChange("drain").standing(elsewhere)
    assert WantedChange("drain", 12.25).standing(elsewhere) == standing("drain", 12.25)


async def test_a_failing_guard_holds_a_step_back_and_says_why(stashing: Desk) -> None:
    tenant = Tenant(TENANT, guard=BOTH)
    with pytest.raises(GuardFailed, match=r"^20 % of what V2 said in the last 2 days was stashed") as failed:
        await stashing.changes.make(tenant, "ann", WantedChange("drain", 5))
    assert [verdict.name for verdict in failed.value.failing] == ["stashed_percent"]
    assert await stashing.changes.newest(tenant) == []
    assert (await read_state(stashing.redis, stashing.addresses, TENANT)).version == 0


async def test_a_guard_that_holds_holds_nothing_back(stashing: Desk) -> None:
    change = await stashing.changes.make(Tenant(TENANT, guard=LOST), "ann", WantedChange("v3"))
    assert change.forced == ()


@pytest.mark.parametrize("why", ["", " \t\n"])
async def test_a_step_in_spite_of_a_guard_needs_a_reason(stashing: Desk, why: str) -> None:
    with pytest.raises(ReasonMissing):
        await stashing.changes.make(Tenant(TENANT, guard=STASHED), "ann", WantedChange("v3", why=why, force=True))
    assert await stashing.changes.newest(Tenant(TENANT)) == []


async def test_a_forced_step_names_the_guards_that_apply_to_it_whether_they_fail_or_not(stashing: Desk) -> None:
    tenant = Tenant(TENANT, guard=BOTH)
    change = await stashing.changes.make(tenant, "ann", WantedChange("v3", why=WHY, force=True))
    assert change.forced == ("stashed_percent", "lost_percent")
    assert await latest(stashing.redis, stashing.addresses, TENANT) == change


async def test_a_guard_can_be_forced_before_it_fails(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=BOTH)
    change = await desk.changes.make(tenant, "ann", WantedChange("v3", why=WHY, force=True))
    assert change.forced == ("stashed_percent", "lost_percent")
    with pytest.raises(ReasonMissing):
        await desk.changes.make(moved(tenant, change), "ann", WantedChange("bridge", force=True))
    back = await desk.changes.make(moved(tenant, change), "ann", WantedChange("bridge", force=True, why=WHY))
    assert back.forced == ()


@pytest.mark.parametrize(
    ("before", "after", "is_asked"),
    [
        (standing("legacy"), standing("bridge"), False),
        (standing("bridge"), standing("drain"), True),
        (standing("bridge"), standing("v3"), True),
        (standing("legacy"), standing("v3"), True),
        (standing("drain", 10), standing("drain", 11), True),
        (standing("drain", 100), standing("v3"), True),
        (standing("drain", 11), standing("drain", 10), False),
        (standing("drain", 10), standing("drain", 10, "group"), False),
        (standing("v3"), standing("drain", 100), False),
        (standing("v3"), standing("bridge"), False),
        (standing("bridge"), standing("legacy"), False),
        (standing("bridge"), standing("bridge", 0, "group"), False),
    ],
    ids=str,
)
async def test_guards_are_asked_on_the_way_into_and_within_drain_and_into_v3_alone(
    stashing: Desk,
    before: Standing,
    after: Standing,
    is_asked: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert is_guarded(before, after) == is_asked
    tenant = before.of_tenant(Tenant(TENANT, guard=STASHED))
    wanted = WantedChange(after.stage, after.share if after.stage == "drain" else None, after.v2_routing)
    if is_asked:
        with pytest.raises(GuardFailed):
            await stashing.changes.make(tenant, "ann", wanted)
    else:
        assert (await stashing.changes.make(tenant, "ann", wanted)).after == after


async def test_a_step_by_somebody_who_saw_an_older_version_is_not_made(desk: Desk) -> None:
    tenant = Tenant(TENANT)
    await desk.changes.make(tenant, "ann", WantedChange("drain", 5))
    for wanted in (WantedChange("v3"), WantedChange("v3", version=0)):
        with pytest.raises(Stale) as stale:
            await desk.changes.make(tenant, "ben", wanted)
        assert stale.value.version == 1
    assert (await desk.changes.make(tenant, "ben", WantedChange("v3", version=1))).version == 2


async def test_steps_are_taken_back_one_by_one(desk: Desk) -> None:
    tenant = Tenant(TENANT)
    first = await desk.changes.make(tenant, "ann", WantedChange("drain", 25))
    tenant = moved(tenant, first)
    tenant = moved(tenant, await desk.changes.make(tenant, "ann", WantedChange("v3")))
    assert await desk.changes.way_back(tenant) == WayBack(first.after, 2)
    back = await desk.changes.roll_back(tenant, "ben", WHY)
    assert (back.after, back.rolls_back, back.who, back.why, back.kind) == (first.after, 2, "ben", WHY, "rollback")
    tenant = moved(tenant, back)
    back = await desk.changes.roll_back(tenant, "ben", "")
    assert (back.after, back.rolls_back) == (standing("bridge"), 1)
    with pytest.raises(NothingToRollBack, match="acme stands at bridge, and nothing nearer to legacy is on record"):
        await desk.changes.roll_back(moved(tenant, back), "ben", "")


async def test_a_rollback_after_a_step_back_by_hand_does_not_go_forward_again(desk: Desk) -> None:
    tenant = Tenant(TENANT)
    for wanted in (WantedChange("drain", 100), WantedChange("v3")):
        tenant = moved(tenant, await desk.changes.make(tenant, "ann", wanted))
    tenant = moved(tenant, await desk.changes.roll_back(tenant, "ann", ""))
    assert Standing.of(tenant) == standing("drain", 100)
    tenant = moved(tenant, await desk.changes.make(tenant, "ben", WantedChange("bridge")))
    said = r"its last step was drain 100 % -> bridge, by ben at \d{4}-"
    with pytest.raises(NothingToRollBack, match=said):
        await desk.changes.roll_back(tenant, "ann", "")


async def test_a_rollback_goes_back_to_legacy_where_the_tenant_came_from(desk: Desk) -> None:
    tenant = Tenant(TENANT, stage="legacy")
    for wanted in (WantedChange("bridge"), WantedChange(v2_routing="group"), WantedChange("drain", 5)):
        tenant = moved(tenant, await desk.changes.make(tenant, "ann", wanted))
    ways = []
    for _ in range(3):
        back = await desk.changes.roll_back(tenant, "ann", "")
        tenant = moved(tenant, back)
        ways.append((back.after, back.rolls_back))
    assert ways == [(standing("bridge", 0, "group"), 3), (standing("bridge"), 2), (standing("legacy"), 1)]
    with pytest.raises(NothingToRollBack):
        await desk.changes.roll_back(tenant, "ann", "")


async def test_a_tenant_that_is_configured_far_ahead_goes_back_to_bridge(desk: Desk) -> None:
    back = await desk.changes.roll_back(Tenant(TENANT, stage="v3", v2_routing="group"), "ann", "")
    assert (back.after, back.rolls_back, back.why) == (standing("bridge", 0, "group"), None, "")
    with pytest.raises(NothingToRollBack, match="no step is on record"):
        await desk.changes.roll_back(Tenant("other"), "ann", "")


async def test_limits_of_guards_are_set_and_recorded(desk: Desk) -> None:
    tenant = Tenant(TENANT, guard=STASHED)
    change = await desk.changes.set_guards(tenant, "ann", LOST, WHY)
    assert (change.kind, change.who, change.why, change.guards) == ("guards", "ann", WHY, (STASHED, LOST))
    assert (await read_state(desk.redis, desk.addresses, TENANT)).guards == LOST
    with pytest.raises(Stale):
        await desk.changes.set_guards(tenant, "ann", LOST, WHY, 0)


# Confirmed, where open V2 sockets would be closed.


async def test_a_step_that_closes_sockets_is_confirmed_with_the_name_of_the_tenant(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = Tenant(TENANT)

    async def three(_tenant: Tenant, _after: Standing) -> int:
        return 3

    monkeypatch.setattr(desk.changes._closings, "of", three)
    for confirm, sockets in ((None, 3), ("other", 3)):
        with pytest.raises(Unconfirmed, match=r"^this closes 3 open V2 sockets of acme$") as refused:
            await desk.changes.make(tenant, "ann", WantedChange("v3", confirm=confirm))
        assert (refused.value.tenant, refused.value.sockets) == (TENANT, sockets)
    assert await desk.changes.newest(tenant) == []
    assert (await desk.changes.make(tenant, "ann", WantedChange("v3", confirm=TENANT))).version == 1


async def test_the_name_of_another_tenant_confirms_nothing(desk: Desk) -> None:
    with pytest.raises(Unconfirmed, match=r"^this is a step of acme alone$"):
        await desk.changes.make(Tenant(TENANT), "ann", WantedChange("legacy", confirm="other"))


async def test_a_step_is_not_taken_back_by_somebody_who_saw_an_older_version(desk: Desk) -> None:
    tenant = Tenant(TENANT)
    tenant = moved(tenant, await desk.changes.make(tenant, "ann", WantedChange("drain", 25)))
    with pytest.raises(Stale) as stale:
        await desk.changes.roll_back(tenant, "ben", WHY, 0)
    assert stale.value.version == 1
    assert (await desk.changes.roll_back(tenant, "ben", WHY, 1)).version == 2


async def test_a_step_is_taken_back_whatever_the_guards_say(stashing: Desk) -> None:
    tenant = Tenant(TENANT, guard=STASHED)
    tenant = moved(tenant, await stashing.changes.make(tenant, "ann", WantedChange("v3", why=WHY, force=True)))
    assert (await stashing.changes.roll_back(tenant, "ann", "")).after == standing("bridge")


# Tried again.


class Overtaken:
    """A change that so often finds that somebody else was quicker."""

    def __init__(self, times: int) -> None:
        self.remaining = times
        self.tenants: list[Tenant] = []

    async def __call__(self, tenant: Tenant) -> str:
        self.tenants.append(tenant)
        self.remaining -= 1
        if self.remaining >= 0:
            raise Stale(7)
        return "made"


class Renewed:
    """The tenant as it is now, which is another each time."""

    def __init__(self) -> None:
        self.version = 0

    async def __call__(self) -> Tenant:
        self.version += 1
        return Tenant(TENANT, version=self.version)


async def test_a_change_that_is_overtaken_is_made_to_the_tenant_as_it_is_then() -> None:
    change = Overtaken(ATTEMPTS - 1)
    assert await carry_out(Renewed(), change) == "made"
    assert [tenant.version for tenant in change.tenants] == list(range(1, ATTEMPTS + 1))


@pytest.mark.parametrize(("version", "attempts"), [(None, ATTEMPTS), (0, 1), (3, 1)])
async def test_it_is_not_tried_for_ever_and_once_where_a_version_is_named(version: int | None, attempts: int) -> None:
    change = Overtaken(1_000)
    with pytest.raises(Stale):
        await carry_out(Renewed(), change, version)
    assert len(change.tenants) == attempts
